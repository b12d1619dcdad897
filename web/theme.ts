/**
 * The colours and sizes of the page, which follow the system's settings: light or dark, with or without motion.
 *
 * @module
 */
import { PALETTE } from "./colors.ts";

const darkScheme = matchMedia("(prefers-color-scheme: dark)");
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** The colours and the font with which canvases are drawn. */
export interface Theme {
  /** The colours of events, in the order of the palette. */
  readonly events: readonly string[];
  readonly background: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly bad: string;
  readonly font: string;
}

/** Returns whether the system asks for reduced motion. */
export function isMotionReduced(): boolean {
  return reducedMotion.matches;
}

/** Returns the font size of the page, in pixels. */
export function rem(): number {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** Reads the current theme from the style sheet. */
export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const [background, text, muted, line, bad] = ["panel", "text", "muted", "line", "bad"].map(of);
  const events = PALETTE.map((_, index) => of(`event-${index}`));
  return { events, background, text, muted, line, bad, font: style.fontFamily };
}

/** Sets the colours of events now and whenever the system's settings change, and calls a function after each time. */
export function followTheme(onChange: () => void): void {
  const apply = () => {
    const { style } = document.documentElement;
    const key = darkScheme.matches ? "dark" : "light";
    PALETTE.forEach((color, index) => style.setProperty(`--event-${index}`, color[key]));
    onChange();
  };
  darkScheme.onchange = apply;
  reducedMotion.onchange = onChange;
  apply();
}
