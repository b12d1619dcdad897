/**
 * Chromium for the tests of the live page. Each page records its errors.
 *
 * @module
 */
import { type Browser, chromium, type Page } from "playwright-core";
import { assertEquals } from "@std/assert";

const EXECUTABLE = "/usr/bin/chromium";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Messages of Chromium that are expected while the broker is down, and because Deno 2.4 closes a WebSocket twice. */
const EXPECTED = ["ERR_CONNECTION", "Close received after close"];

/** Returns whether Chromium is installed; if not, the tests that need it are ignored. */
export function hasChromium(): boolean {
  try {
    return Deno.statSync(EXECUTABLE).isFile;
  } catch {
    return false;
  }
}

/** The window and the system's settings for a page. */
export interface View {
  width?: number;
  height?: number;
  theme?: "light" | "dark";
  reducedMotion?: boolean;
}

/** A page with its errors: exceptions, messages on the console, and requests to other origins. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  readonly faults: string[];
}

/** A browser, closed at the end of its scope. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async launch(): Promise<TestBrowser> {
    return new TestBrowser(await chromium.launch({ executablePath: EXECUTABLE, args: ARGS }));
  }

  /** Opens a page. */
  async open(url: string, view: View = {}): Promise<WatchedPage> {
    const { width = 1280, height = 720, theme = "light", reducedMotion = false } = view;
    const page = await this.#browser.newPage({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: reducedMotion ? "reduce" : "no-preference",
    });
    const faults: string[] = [];
    const { origin } = new URL(url);
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      const isExpected = EXPECTED.some((text) => message.text().includes(text));
      if (["error", "warning"].includes(message.type()) && !isExpected) faults.push(message.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) faults.push(`a request to ${request.url()}`);
    });
    page.on("dialog", (dialog) => {
      faults.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.goto(url);
    return {
      page,
      faults,
      async [Symbol.asyncDispose]() {
        await page.close();
        assertEquals(faults, []);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
