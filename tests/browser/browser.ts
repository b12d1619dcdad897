/**
 * Chromium, for the tests of the live page: pages that note whatever goes wrong in them.
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

/** What Chromium says by itself: while the broker is down, and since Deno 2.4 ends a WebSocket twice. */
const EXPECTED = ["ERR_CONNECTION", "Close received after close"];

/** Whether Chromium is on this machine: if not, the tests that need it are ignored. */
export function hasChromium(): boolean {
  try {
    return Deno.statSync(EXECUTABLE).isFile;
  } catch {
    return false;
  }
}

/** How a page is looked at. */
export interface View {
  width?: number;
  height?: number;
  theme?: "light" | "dark";
  reducedMotion?: boolean;
}

/** A page, and what went wrong in it: errors, what the console was told, requests to anywhere else. */
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
