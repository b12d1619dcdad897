/**
 * What the properties hold mq to: the rules of docs/protocol.md on names, once more, as plainly as they can be written.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Whether a text is a name: rule 2.1. */
export function isName(text: string): boolean {
  return text.split(".").every(isToken) && isShort(text);
}

/** Whether a text is a pattern: rule 2.3. */
export function isPattern(text: string): boolean {
  const tokens = text.split(".");
  if (tokens.at(-1) === ">") tokens.pop();
  return tokens.every((token) => token === "*" || isToken(token)) && isShort(text);
}

/** Whether a pattern matches a name: rules 2.4 and 2.5. */
export function matches(pattern: string, name: string): boolean {
  const [wanted, tokens] = [pattern.split("."), name.split(".")];
  return matchTokens(wanted, tokens) && (!name.startsWith("mq.") || wanted[0] === "mq");
}

function matchTokens([wanted, ...pattern]: string[], [token, ...name]: string[]): boolean {
  if (wanted === undefined || token === undefined) return wanted === token;
  if (wanted === ">") return true;
  return (wanted === "*" || wanted === token) && matchTokens(pattern, name);
}

function isToken(text: string): boolean {
  return text !== "" && [...text].every((character) => /^[\p{L}\p{M}\p{Nd}_-]$/u.test(character));
}

function isShort(text: string): boolean {
  return encoder.encode(text).length <= 255;
}
