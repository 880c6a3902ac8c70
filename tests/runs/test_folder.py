"""Folders of runs that earlier versions made."""

import json

from jaxgan.config import get_preset
from jaxgan.config.fields import to_json
from jaxgan.runs.folder import RunFolder


def test_runs_of_before_held_nothing_out(tmp_path):
    plain = to_json(get_preset("dcgan-mnist"))
    assert plain["data"]["hold_out"] == 0.1
    for stored in (plain, {**plain, "data": {"source": "folder:x"}}):
        (tmp_path / "config.json").write_text(json.dumps(stored))
        assert RunFolder(tmp_path).config().data.hold_out == stored["data"].get("hold_out", 0.0)
