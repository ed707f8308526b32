"""What the import contracts cannot say: the domain computes in Decimal, and imports what it may, no more."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOMAIN = sorted((ROOT / "copytrade/domain").glob("**/*.py"))

PURE = {
    "__future__", "attrs", "bisect", "collections", "copytrade", "decimal", "enum", "functools", "heapq", "itertools",
    "math", "operator", "re", "typing",
}  # fmt: skip


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.name)
class TestTheDomain:
    """DESIGN 2: it imports stdlib, attrs and itself; all money is Decimal, never float."""

    def test_imports_nothing_but_what_is_pure(self, path):
        tree = ast.parse(path.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.split(".")[0] for name in names} <= PURE

    def test_knows_no_float(self, path):
        tree = ast.parse(path.read_text())
        floats = [
            f"line {node.lineno}: {ast.unparse(node)}"
            for node in ast.walk(tree)
            if (isinstance(node, ast.Constant) and isinstance(node.value, float | complex))
            or (isinstance(node, ast.Name) and node.id == "float")
        ]
        assert floats == []
