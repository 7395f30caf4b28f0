"""A document as people write it in YAML: the values are those of the same document in JSON."""

from __future__ import annotations

from functools import cache
from typing import Any

_TAG = "tag:yaml.org,2002:"


def from_yaml(text: str) -> Any:
    """Return the value of a YAML text. Keys are texts, and so are dates: YAML 1.1 would make True
    of the key ``on`` of a pivot, and an object that no spec takes of ``2013-01-01``.

    Raises ``yaml.YAMLError``, also for a key that stands twice; ``ValueError`` and
    ``RecursionError`` for a value that cannot be read.
    """
    import yaml

    # The loader derives from SafeLoader: it makes plain values, and no objects.
    return yaml.load(text, Loader=_loader())


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
            node: yaml.MappingNode = super().compose_mapping_node(anchor)
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == f"{_TAG}merge":
                    continue
                key.tag = f"{_TAG}str"
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key “{key.value[:80]}” stands twice", key.start_mark
                    )
                seen.add(key.value)
            return node

    Loader.yaml_implicit_resolvers = {
        letter: [(tag, found) for tag, found in known if tag != f"{_TAG}timestamp"]
        for letter, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader
