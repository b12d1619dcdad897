/**
 * Takes jobs from the store for all groups together: one call at a time, since each commit may wake a thousand groups.
 *
 * @module
 */
import type { Pulled, PullRequest, Store } from "../store/store.ts";

/** A request, and who waits for it. */
interface Waiting {
  readonly request: PullRequest;
  readonly pulled: PromiseWithResolvers<Pulled>;
}

/** The requests of the groups of one broker. */
export class Pulls {
  readonly #store: Store;
  /** The first one is the next. */
  #waiting: Waiting[] = [];
  #isRunning = false;

  /**
   * Makes it without any request.
   *
   * @param store Has the jobs.
   */
  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Takes jobs of a group.
   *
   * @param request Of which group, and how many.
   * @returns The jobs.
   * @throws {MqError} With the code `store-failed`.
   */
  pull(request: PullRequest): Promise<Pulled> {
    const pulled = Promise.withResolvers<Pulled>();
    this.#waiting.push({ request, pulled });
    if (!this.#isRunning) void this.#run();
    return pulled.promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await undefined; // So that what is asked for in one turn is asked for together.
      const asked = this.#waiting;
      this.#waiting = [];
      const answered = await this.#ask(asked);
      this.#waiting = [...asked.slice(answered), ...this.#waiting];
    }
    this.#isRunning = false;
  }

  /** Returns how many of the requests were answered: the first ones. */
  async #ask(asked: readonly Waiting[]): Promise<number> {
    try {
      const answers = await this.#store.pull(asked.map(({ request }) => request));
      for (const [index, answer] of answers.entries()) asked[index].pulled.resolve(answer);
      return answers.length;
    } catch (error) {
      asked[0].pulled.reject(error);
      return 1;
    }
  }
}
