"""A page as a browser would read it, far enough to ask what is on it."""

import json
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "input", "img", "source", "br", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, links, form controls by name, and the text a person sees."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.controls: dict[str, list[dict[str, Any]]] = {}
        self.scripts: list[str] = []
        self._open: list[str] = []
        self._words: list[str] = []
        self._select: dict[str, Any] | None = None
        self.heading = ""
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.elements.append((tag, values))
        self.ids += [values["id"]] if "id" in values else []
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("input", "select", "textarea") and "name" in values:
            control = {"tag": tag, "options": [], "chosen": values.get("value", ""), **values}
            self.controls.setdefault(values["name"], []).append(control)
            self._select = control if tag == "select" else self._select
        if tag == "option" and self._select:
            self._select["options"].append(values["value"])
            if "selected" in values:
                self._select["chosen"] = values["value"]

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another element"
        if tag == "select":
            self._select = None

    def handle_data(self, data):
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        else:
            self._words.append(data)
        if "h1" in self._open:
            self.heading += data.strip()

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())

    @property
    def links(self) -> set[str]:
        return {values["href"] for tag, values in self.elements if tag == "a" and "href" in values}

    @property
    def resources(self) -> list[str]:
        """What the browser loads by itself."""
        found = [values.get("src") for tag, values in self.elements if tag in ("script", "img")]
        found += [values.get("href") for tag, values in self.elements if tag == "link"]
        return [url for url in found if url]

    @property
    def facts(self) -> dict[str, Any]:
        """What the page tells its script."""
        return json.loads("".join(self.scripts))
