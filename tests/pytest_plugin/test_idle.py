from __future__ import annotations

import pytest

HEAVY = ("torch", "transformers", "numpy", "pydantic", "yaml", "rich", "valuebench_harness.harness")


def test_a_project_that_does_not_use_the_plugin_imports_one_small_module(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one():\n    assert True\n")
    pytester.makeconftest(
        "import sys\n"
        "def pytest_sessionfinish():\n"
        f"    print('IMPORTED', sorted(m for m in {HEAVY} if m in sys.modules))\n"
        "    print('OURS', sorted(m for m in sys.modules if m.startswith('valuebench_harness')))\n"
    )
    # Plugins of other packages may import anything.
    result = pytester.runpytest_subprocess("-s", "-p", "no:hypothesispytest", "-p", "no:anyio")
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines(
        [
            r".*IMPORTED \[\]",
            r"OURS \['valuebench_harness', 'valuebench_harness.errors', 'valuebench_harness.pytest_plugin', "
            r"'valuebench_harness.pytest_plugin.options', 'valuebench_harness.pytest_plugin.plugin'\]",
        ]
    )
