"""PyYAML's pure-Python scanner and parser under a name of their own.

`import yaml` also loads the constructors, the resolvers and the emitter, which a spec never meets and which cost
25 ms; through this package's search path only the modules that are named are loaded (4 ms).
"""

from __future__ import annotations

from importlib.util import find_spec

_found = find_spec("yaml")
if _found is None or _found.submodule_search_locations is None:
    raise ModuleNotFoundError("ffspec reads its specs with PyYAML: pip install pyyaml", name="yaml")

__path__ = list(_found.submodule_search_locations)
