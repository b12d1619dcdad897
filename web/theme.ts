/**
 * Light or dark, still or moving, as the system asks.
 *
 * @module
 */
import { PALETTE } from "./colors.ts";

const darkness = matchMedia("(prefers-color-scheme: dark)");
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** What the canvases draw with. */
export interface Ink {
  /** The colours of events, as in the palette. */
  readonly events: readonly string[];
  readonly ground: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly bad: string;
  readonly font: string;
}

/** Whether nothing may travel. */
export function isStill(): boolean {
  return stillness.matches;
}

/** The size of text, in pixels. */
export function rem(): number {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** What to draw with now. */
export function readInk(): Ink {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const [ground, text, muted, line, bad] = ["panel", "text", "muted", "line", "bad"].map(of);
  const events = PALETTE.map((_, index) => of(`event-${index}`));
  return { events, ground, text, muted, line, bad, font: style.fontFamily };
}

/** Gives the page the colours of events, now and whenever the system changes; and says so. */
export function followTheme(changed: () => void): void {
  const apply = () => {
    const { style } = document.documentElement;
    PALETTE.forEach(({ light, dark }, index) => style.setProperty(`--event-${index}`, darkness.matches ? dark : light));
    changed();
  };
  darkness.onchange = apply;
  stillness.onchange = changed;
  apply();
}
