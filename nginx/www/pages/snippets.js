// SPDX-License-Identifier: MIT
//
// A request to the private API, as a back end would write it, in several languages: tabs, of
// which this browser remembers the chosen one for all its snippets.

import { copyable, element } from './dom.js';
import { curlLine, urlOf } from './server.js';
import { stored } from './session.js';

const PLACE = 'letterbox.language';

// --- texts and values, as each language writes them --------------------------------

/** A text of PHP's in single quotes, in which only these two signs are special. */
const php = text => `'${text.replace(/[\\']/g, '\\$&')}'`;
const phpArray = json => `[${Object.entries(json).map(([name, value]) => `${php(name)} => ${typeof value === 'string' ? php(value) : value}`).join(', ')}]`;
// Python and JavaScript read what JSON writes, as far as texts and numbers go.
const spaced = json => `{${Object.entries(json).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(', ')}}`;

const typeOf = json => (json === undefined ? 'text/plain' : 'application/json');

/** By language, what writes a POST: a text, or a flat object of texts and numbers as JSON. */
const WRITERS = {
  curl: (path, request) => curlLine('POST', path, request),
  PHP: (path, { query, text, json }) => `<?php
echo file_get_contents(${php(urlOf(path, query))}, false, stream_context_create(['http' => [
    'method' => 'POST',
    'header' => 'Content-Type: ${typeOf(json)}',
    'content' => ${json === undefined ? php(text) : `json_encode(${phpArray(json)})`},
    'protocol_version' => 1.1,
    'ignore_errors' => true, // an error has a body, too
]]));`,
  Python: (path, { query, text, json }) => `import ${json === undefined ? '' : 'json, '}urllib.request

request = urllib.request.Request(
    ${JSON.stringify(urlOf(path, query))},
    data=${json === undefined ? JSON.stringify(text) : `json.dumps(${spaced(json)})`}.encode(),
    headers={"Content-Type": "${typeOf(json)}"},
)
print(urllib.request.urlopen(request).read().decode())`,
  JS: (path, { query, text, json }) => `const answer = await fetch(${JSON.stringify(urlOf(path, query))}, {
  method: "POST",
  headers: { "Content-Type": "${typeOf(json)}" },
  body: ${json === undefined ? JSON.stringify(text) : `JSON.stringify(${spaced(json)})`},
});
console.log(await answer.text());`,
};
const LANGUAGES = Object.keys(WRITERS);

// --- tabs ------------------------------------------------------------------------

const remembered = stored.get(PLACE);
let language = LANGUAGES.includes(remembered) ? remembered : LANGUAGES[0];
const all = [];
let count = 0;

export class Snippet {
  #path;
  #request;
  #tabs = new Map();
  #code;
  #panel;

  /** @param {string} label what the code does, for a screen reader */
  constructor(label, path, request) {
    const id = `snippet-${++count}`;
    this.#path = path;
    this.#request = request;
    this.#code = copyable(label);
    this.#panel = element('div', { role: 'tabpanel', id }, this.#code.node);
    for (const name of LANGUAGES) this.#tabs.set(name, element('button', { type: 'button', role: 'tab', id: `${id}-${name}`, 'aria-controls': id, onclick: () => choose(name) }, name));
    const list = element('div', { class: 'tabs', role: 'tablist', 'aria-label': 'Language', onkeydown: event => this.#move(event) }, ...this.#tabs.values());
    this.node = element('div', { class: 'snippet' }, list, this.#panel);
    all.push(this);
    this.draw();
  }

  show(request) {
    this.#request = request;
    this.draw();
  }

  /** The chosen tab is the one that Tab reaches; arrows, Home and End go to the others. */
  draw() {
    for (const [name, tab] of this.#tabs) {
      tab.setAttribute('aria-selected', String(name === language));
      tab.tabIndex = name === language ? 0 : -1;
    }
    this.#panel.setAttribute('aria-labelledby', this.#tabs.get(language).id);
    this.#code.show(WRITERS[language](this.#path, this.#request));
  }

  #move(event) {
    const at = LANGUAGES.indexOf(language);
    const last = LANGUAGES.length - 1;
    const to = { ArrowLeft: at === 0 ? last : at - 1, ArrowRight: at === last ? 0 : at + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(LANGUAGES[to]);
    this.#tabs.get(language).focus();
  }
}

function choose(name) {
  language = name;
  stored.set(PLACE, name);
  for (const snippet of all) snippet.draw();
}
