"""Self-contained pages: styles and scripts inline, and a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'"


def render_page(
    template: str,
    *,
    css: Sequence[str],
    js: str | None = None,
    images: bool = False,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **context: Any,
) -> str:
    """A page from templates of this package.

    The template writes ``policy`` into its head, ``css`` into one ``<style>`` and ``js`` into one ``<script>``.

    Args:
        template: file name of the page's template; what it writes is escaped.
        css: file names of styles, joined.
        js: file name of the script.
        images: whether pictures embedded as data may be shown.
        filters: for the template.
        **context: its variables.
    """
    style, script = "".join(map(template_text, css)), template_text(js) if js else ""
    policy = f"{POLICY}; style-src '{source_hash(style)}'"
    policy += f"; script-src '{source_hash(script)}'" if js else ""
    policy += "; img-src data:" if images else ""
    environment = Environment(
        loader=FunctionLoader(template_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return environment.get_template(template).render(
        policy=policy,
        css=Markup(style),  # noqa: S704 - our own files
        js=Markup(script),  # noqa: S704
        **context,
    )


def template_text(name: str) -> str:
    """A file among the templates."""
    return (files("valuebench_harness.reports") / "templates" / name).read_text(encoding="utf-8")


def source_hash(text: str) -> str:
    """A source of a content security policy that allows one inline element."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
