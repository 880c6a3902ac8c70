"""A run in a form for others: weights, a model card, and a program that samples with JAX alone."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import flax.traverse_util
import jax
import jax.export
import jax.numpy as jnp

from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError
from jaxgan.common.files import printable, write_atomically
from jaxgan.common.packages import version_of
from jaxgan.common.user_files import short_name
from jaxgan.config.data import without_path
from jaxgan.config.fields import to_json
from jaxgan.config.own_files import with_files
from jaxgan.runs import standalone
from jaxgan.runs.opened import Run

PLATFORMS = ("cpu", "cuda", "tpu")
_BATCH = 16  # of a generator that cannot be exported for any number of examples
_FILES = {
    "model.safetensors": "the weights of the averaged generator",
    "config.json": "everything that determined the run, and what its data are like",
    "sample.jaxexport": "seeds to examples, a program of `jax.export` with the weights in it",
    "sample.py": "a script that runs it; it needs `jax`, `flatbuffers` and `numpy` alone",
}


def check_export(out: pathlib.Path) -> None:
    """Raises InputError where an export could not be written to the folder `out`."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"out: expected a folder that is new or empty, got {str(out)!r}")
    if importlib.util.find_spec("flatbuffers") is None:
        raise InputError("export: needs the package flatbuffers: pip install 'jaxgan[export]'")


def export_run(run: Run, out: pathlib.Path, *, licence: str = "unknown") -> None:
    """Writes the averaged generator of a run to a folder, in the form of a repository of the Hugging Face Hub.

    Args:
      run: what to export.
      out: the folder.
      licence: identifier of the weights' licence, for the model card.

    Raises:
      InputError: if the folder is in use, or the generator cannot be exported.
    """
    check_export(out)
    program = exported(run).serialize()
    card = model_card(run, out.resolve().name, licence)
    write_atomically(out / "model.safetensors", _weights(run))
    write_atomically(out / "config.json", json.dumps(_config(run), indent=1) + "\n")
    write_atomically(out / "sample.jaxexport", bytes(program))
    write_atomically(out / "sample.py", pathlib.Path(standalone.__file__).read_bytes())
    if (grid := _grid(run)) is not None:
        shutil.copyfile(grid, out / "samples.png")
    write_atomically(out / "README.md", card)


def exported(run: Run) -> jax.export.Exported:
    """The program seeds uint32 [n] (and labels int32 [n], of a generator with classes) -> examples [n, ...].

    It runs on CPUs, GPUs and TPUs, for any n, where the networks can be compiled so; else for what can be.

    Raises:
      InputError: if nothing can.
    """
    program, reason = run.sampler.program(run.variables), ""
    for shape, platforms in forms():
        inputs = [jax.ShapeDtypeStruct(shape, jnp.uint32)]
        if run.sampler.n_classes:
            inputs.append(jax.ShapeDtypeStruct(shape, jnp.int32))
        try:
            return jax.export.export(jax.jit(program), platforms=platforms)(*inputs)
        except Exception as error:  # of many types, by what cannot be
            reason = f"{type(error).__name__}: {first_line(error)}"
    raise InputError(f"export: the generator cannot be exported: {reason}")


def forms() -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Forms in which an export is tried, the best first: the shape of the seeds, and the platforms."""
    here = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    for platforms in (PLATFORMS, (here,)):
        yield jax.export.symbolic_shape("n"), platforms
        yield (_BATCH,), platforms


def _weights(run: Run) -> bytes:
    from safetensors.flax import save

    flat: Any = flax.traverse_util.flatten_dict(dict(run.variables), sep=".")
    return save(flat, {"format": "flax", "library": "jaxgan", "step": str(run.step)})


def _config(run: Run) -> dict[str, Any]:
    """The configuration without places on the machine that it was trained on."""
    plain = with_files(to_json(run.config), lambda copy, name: f"{copy}:{short_name(name)}")
    del plain["out"]
    own = lambda name, value: (
        pathlib.PurePath(value).name if name == "weights" else value
    )  # a file, by its name
    plain["game_options"] = [(name, own(name, value)) for name, value in plain["game_options"]]
    plain["model"] = {name: own(name, value) for name, value in plain["model"].items()}
    plain["data"] = {**plain["data"], "source": without_path(plain["data"]["source"])}
    data = {name: value for name, value in run.data.items() if name not in ("name", "skipped")}
    return {
        "model_type": "jaxgan",
        "jaxgan_version": version_of("jaxgan"),
        "step": run.step,
        "n_classes": run.sampler.n_classes,
        "class_names": run.data["class_names"],
        "data": {"name": without_path(run.data["name"]), **data},
        "training": plain,
    }


def _grid(run: Run) -> pathlib.Path | None:
    """The last picture of samples up to the exported step."""
    return next((path for step, path in reversed(run.folder.pictures()) if step <= run.step), None)


def _scores(run: Run) -> dict[str, Any]:
    """Those of the exported step, as scores.json has them; empty if it was not scored in full."""
    if not (run.folder.path / "scores.json").exists():
        return {}
    scores = run.folder.read("scores.json")
    for end in (scores["final"], scores.get("best")):
        if end is not None and end["step"] == run.step:
            return {name: score for name, score in end["scores"].items() if score["value"] is not None}
    return {}


def model_card(run: Run, name: str, licence: str) -> str:
    """The text of an export's README.md: metadata in YAML (of which JSON is a part), and Markdown.

    Args:
      run: what is exported.
      name: what the model is called.
      licence: identifier of the weights' licence.
    """
    config, scores, picture = run.config, _scores(run), run.spec.modality.is_picture
    task = "unconditional-image-generation" if picture else "other"
    loss, data = _text(short_name(config.loss)), _text(without_path(run.data["name"]))
    meta: dict[str, Any] = {"license": licence, "library_name": "jaxgan"}
    if picture:
        meta["pipeline_tag"] = task
    meta["tags"] = ["jax", "flax", "gan", "jaxgan", loss]
    if scores:
        metrics = [{"type": key, "name": key, "value": score["value"]} for key, score in scores.items()]
        dataset = {"name": data, "type": data.partition(":")[0], "split": config.data.split}
        result = {"task": {"type": task}, "dataset": dataset, "metrics": metrics}
        meta["model-index"] = [{"name": name, "results": [result]}]
    lines = [
        "---",
        *(f"{key}: {json.dumps(value)}" for key, value in meta.items()),
        "---",
        "",
        f"# {name}",
        "",
    ]
    noun = _text(run.spec.modality.name)
    lines += [
        f"The averaged generator of a generative adversarial network that was trained on `{data}` with jaxgan "
        f"{version_of('jaxgan')}: it makes {noun}s ({run.spec.modality.in_words(run.spec.shape, run.spec.stored)}).",
        "",
    ]
    if _grid(run) is not None:
        lines += ["![samples](samples.png)", ""]
    labels = " --labels 3 3 3" if run.sampler.n_classes else ""
    lines += ["## Use", "", "```", f"python sample.py --seeds 0 1 2{labels} --out samples.npy", "```", ""]
    lines += [f"- `{file}`: {says}" for file, says in _FILES.items()]
    lines += ["", "## Training", ""]
    facts = {
        "data": f"`{data}`, {run.data['n'] or 'endless'} examples, fingerprint `{_text(run.data['fingerprint'])}`",
        "classes": ", ".join(map(_text, run.data["class_names"])) or "none",
        "loss": f"`{loss}`",
        "steps": f"{run.step:,} of {config.steps:,}, batches of {config.batch_size}, seed {config.seed}",
    }
    lines += [f"- {key}: {value}" for key, value in facts.items()]
    if scores:
        lines += [
            "",
            "## Scores",
            "",
            "| score | value | error | floor | protocol |",
            "|---|---|---|---|---|",
        ]
        for key, s in scores.items():
            error, floor = (f"{s[x]:.4g}" if s.get(x) is not None else "–" for x in ("error", "floor"))
            reals = f", {s['n_real']:,} reals of {_without_places(s.get('split', ''))}" if s["n_real"] else ""
            protocol = f"{s['n_fake']:,} fakes{reals}; features {s['features']}; {s.get('protocol', '')}"
            lines.append(f"| `{_text(key)}` | {s['value']:.4g} | {error} | {floor} | {_text(protocol)} |")
        lines += ["", "The floor is what real, held-out data get in the generator's place."]
    return "\n".join([*lines, ""])


def _text(text: object) -> str:
    """A text of a run as part of a line of Markdown: it ends no line, cell or code, and is no HTML."""
    plain = printable(str(text)).replace("|", "/").replace("`", "'")
    return plain.replace("&", "&amp;").replace("<", "&lt;")


def _without_places(split: str) -> str:
    """What scores say of their reals, without paths."""
    place = r"\b(?:folder|npz):.*?(?=(?:, [\d,]+ images)?(?:; |$))"
    return re.sub(place, lambda found: without_path(found[0]), split)
