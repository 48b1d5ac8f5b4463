"use strict";
// Click a value: its expected successors are coloured, and what moved is listed. All text is written with textContent.
(() => {
  const byId = (id) => document.getElementById(id);
  const { values, names, graphs, steerings } = JSON.parse(byId("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";

  // Theme: what the system says, until the reader chooses.
  const themes = ["auto", "light", "dark"];
  let theme = "auto";
  byId("theme").addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    byId("theme").textContent = `Theme: ${theme}`;
  });

  const element = (tag, text = "", name = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const bar = (share, kind) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (const [name, width] of [["track", 100], [kind, 100 * share]]) {
      const rect = document.createElementNS(SVG, "rect");
      rect.setAttribute("class", name);
      rect.setAttribute("width", width);
      rect.setAttribute("height", 10);
      svg.append(rect);
    }
    return svg;
  };

  // Marks the chosen value and what each graph expects of it.
  const mark = (chosen) => {
    for (const svg of document.querySelectorAll(".graph")) {
      const expected = chosen < 0 ? [] : graphs[svg.dataset.graph].expected[chosen];
      const active = new Set([names[chosen], ...expected]);
      svg.classList.toggle("picked", chosen >= 0);
      for (const node of svg.querySelectorAll(".node")) {
        const own = node.dataset.value === names[chosen];
        node.classList.toggle("chosen", own);
        node.classList.toggle("expected", !own && active.has(node.dataset.value));
        node.setAttribute("aria-pressed", own);
      }
      for (const edge of svg.querySelectorAll(".edge")) {
        edge.classList.toggle("active", active.has(edge.dataset.source) && active.has(edge.dataset.target));
      }
    }
  };

  // What moved when the value did, most often first; what this graph expects is set in bold.
  const list = (steering, chosen) => {
    const part = element("div");
    const count = steering.steerings[chosen];
    part.append(element("h3", `Moved by ${steering.name}`));
    part.append(element("p", `${count} of them moved ${values[chosen]} (against ${steering.against}).`));
    if (!count) return part;
    const expected = new Set(graphs[0].expected[chosen]);
    const grid = element("div", "", "moved");
    const shares = Object.entries(steering.moved[chosen]).filter(([, share]) => share !== null);
    for (const [name, share] of shares.sort((a, b) => b[1] - a[1])) {
      const hit = expected.has(name);
      grid.append(
        element("span", values[names.indexOf(name)] + (hit ? " (expected)" : ""), hit ? "is-expected" : ""),
        bar(share, hit ? "bar-expected" : "bar-unexpected"),
        element("span", `${Math.round(100 * share)}%`, "n"),
      );
    }
    part.append(grid);
    return part;
  };

  const choose = (chosen) => {
    mark(chosen);
    const panel = byId("value");
    if (chosen < 0) panel.replaceChildren(element("p", "No value chosen yet."));
    else panel.replaceChildren(...steerings.map((steering) => list(steering, chosen)));
  };

  let current = -1;
  const pick = (node) => {
    const clicked = names.indexOf(node.dataset.value);
    current = clicked === current ? -1 : clicked; // a second click lets go
    choose(current);
  };
  for (const node of document.querySelectorAll(".node")) {
    node.addEventListener("click", () => pick(node));
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        pick(node);
      }
    });
  }
  // Start with the value of which the graph expects most.
  const most = graphs[0].expected.map((e) => e.length);
  const first = most.indexOf(Math.max(...most));
  if (first >= 0) {
    current = first;
    choose(first);
  }
})();
