/**
 * The page's elements. Whatever comes from the network is put into them as text, never as markup.
 *
 * @module
 */

/** An element of index.html. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** Makes an element with a class and what is in it: a string becomes text. */
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
 * Sets the text of an element that holds nothing else, if it is another one: what is read aloud is not read again. The
 * text node stays, so that rows which change all the time leave nothing to be collected.
 */
export function setText(element: Element, text: string): void {
  const node = element.firstChild;
  if (node instanceof Text && node.data !== text) node.data = text;
  if (node === null) element.textContent = text;
}

/** The class of the colour at a place of the palette. */
export function colorClass(index: number): string {
  return `color-${index}`;
}
