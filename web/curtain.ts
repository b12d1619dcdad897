/**
 * What hangs before the picture while there is nothing to see, and says why; and the state in the page's head.
 *
 * @module
 */
import { byId, setText } from "./dom.ts";

const TOKEN_KEY = "mq-token";

/** How the page stands with the broker. */
export type State = "connecting" | "connected" | "gone" | "refused" | "locked";

const STATES: Record<State, string> = {
  connecting: "looking for the broker",
  connected: "connected",
  gone: "the broker is gone",
  refused: "refused",
  locked: "asks for a token",
};

/** The curtain. */
export class Curtain {
  /** Begins with a form that hands on the token that is entered. */
  constructor(unlock: (token: string) => void) {
    byId("token-form").onsubmit = (event) => {
      event.preventDefault();
      const field = byId<HTMLInputElement>("token");
      sessionStorage.setItem(TOKEN_KEY, field.value);
      unlock(field.value);
      field.value = "";
    };
  }

  /** The token that was entered in this tab. */
  static get token(): string | undefined {
    return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
  }

  /** Shows how things stand, with a sentence if there is nothing else to see. */
  show(state: State, text = ""): void {
    const place = byId("state");
    place.dataset.state = state;
    setText(place, STATES[state]);
    setText(byId("curtain-text"), text);
    byId("curtain").hidden = text === "";
    const form = byId("token-form");
    const wasHidden = form.hidden;
    form.hidden = state !== "locked";
    if (wasHidden && !form.hidden) byId("token").focus();
  }
}
