/**
 * The page's elements. Whatever comes from the network is inserted as text, never as markup.
 *
 * @module
 */

/** Returns an element of index.html. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** Makes an element with a class and children; strings become text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

/**
 * Sets the text of an element that has no other content, if the text is different: otherwise a screen reader would read
 * it again. The text node is reused, so that rows which change often create no garbage.
 */
export function setText(element: Element, text: string): void {
  const node = element.firstChild;
  if (node instanceof Text && node.data !== text) node.data = text;
  if (node === null) element.textContent = text;
}

/** Returns the class for a colour of the palette. */
export function colorClass(index: number): string {
  return `color-${index}`;
}
