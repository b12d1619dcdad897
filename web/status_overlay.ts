/**
 * The connection's state in the head of the page, and the overlay over the picture that explains it.
 *
 * @module
 */
import { byId, setText } from "./dom.ts";

const TOKEN_KEY = "mq-token";

/** The state of the connection to the broker. */
export type State = "connecting" | "connected" | "disconnected" | "forbidden" | "locked";

const LABELS: Record<State, string> = {
  connecting: "connecting",
  connected: "connected",
  disconnected: "disconnected",
  forbidden: "publishing only",
  locked: "token required",
};

/** Shows the state, and asks for a token where the broker requires one. */
export class StatusOverlay {
  /** Sets up the token form, which calls this function with the token that was entered. */
  constructor(onToken: (token: string) => void) {
    byId("token-form").onsubmit = (event) => {
      event.preventDefault();
      const field = byId<HTMLInputElement>("token");
      sessionStorage.setItem(TOKEN_KEY, field.value);
      onToken(field.value);
      field.value = "";
    };
  }

  /** The token that was last entered in this tab. */
  static get token(): string | undefined {
    return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
  }

  /** Shows a state. With a text, the overlay covers the picture and shows the text. */
  show(state: State, text = ""): void {
    const label = byId("state");
    label.dataset.state = state;
    setText(label, LABELS[state]);
    setText(byId("overlay-text"), text);
    byId("overlay").hidden = text === "";
    const form = byId("token-form");
    const wasHidden = form.hidden;
    form.hidden = state !== "locked";
    if (wasHidden && !form.hidden) byId("token").focus();
  }
}
