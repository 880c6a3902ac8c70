"""What restored images are compared with, and the intervals of the comparison."""

import numpy as np
import pytest

from jaxgan.apps.restore import baselines
from jaxgan.apps.restore.scores import row, ssim_over, table_of
from jaxgan.metrics.restoration import similarities

rng = np.random.default_rng(1)
TRUE = np.clip(
    128
    + 100
    * np.sin(np.add.outer(np.arange(24) / 4, np.arange(24) / 5))[None, ..., None]
    * np.ones((3, 1, 1, 1)),
    0,
    255,
).astype(np.uint8)


def test_baselines_do_what_they_are_for():
    pytest.importorskip("skimage")
    psnr = lambda x: similarities(x[None], TRUE[:1])["psnr"][0]
    noisy = np.clip(TRUE[0] + 25 * rng.normal(size=TRUE[0].shape), 0, 255).astype(np.uint8)
    assert psnr(baselines.non_local_means(noisy, 25)) > psnr(noisy) + 3
    assert psnr(baselines.total_variation(noisy, 0.1)) > psnr(noisy) + 3
    mask = np.zeros((24, 24))
    mask[9:15, 9:15] = 1
    holed = np.where(mask[..., None] == 1, 127, TRUE[0]).astype(np.uint8)
    filled = baselines.biharmonic(holed, mask)
    np.testing.assert_array_equal(filled[mask == 0], holed[mask == 0])
    assert psnr(filled) > psnr(holed) + 10
    small = TRUE[0, ::2, ::2]
    assert baselines.bicubic(small, 2).shape == baselines.lanczos(small, 2).shape == (24, 24, 1)
    over = ssim_over(np.stack([filled, holed]), TRUE[:2], mask)
    assert over[0] > over[1] + 0.3
    assert ssim_over(TRUE, TRUE, mask) == pytest.approx(1)


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (2, np.uint8), (3, np.uint16)])
def test_telea_fills_the_hole_and_nothing_else(channels, dtype):
    pytest.importorskip("cv2")
    most = np.iinfo(dtype).max
    true = np.repeat(TRUE[0], channels, 2).astype(dtype) * dtype(most // 255)
    mask = np.zeros((24, 24))
    mask[9:15, 9:15] = 1
    holed = np.where(mask[..., None] == 1, dtype(most // 2), true)
    filled = baselines.telea(holed, mask)
    assert filled.dtype == dtype
    np.testing.assert_array_equal(filled[mask == 0], true[mask == 0])
    psnr = lambda x: similarities(x[None], true[None])["psnr"][0]
    assert psnr(filled) > psnr(holed) + 5


def test_rows_have_intervals_of_both_and_of_the_difference():
    ours, theirs = TRUE.copy(), TRUE.copy()
    ours[:, 3, 3] ^= 8
    theirs[:, 3:9, 3] ^= 8
    rows = table_of("x", ours, {"other": theirs}, TRUE)
    assert {r["score"] for r in rows} == {"psnr", "ssim"}
    first = rows[0]
    assert first["difference"] == pytest.approx(10 * np.log10(6), abs=1e-6)
    assert first["difference"] == pytest.approx(first["ours"] - first["baseline_value"])
    one = row("x", "s", [1.0, 2.0, 3.0], "other", [0.0, 1.0, 2.0])
    assert one["interval"][0] < one["ours"] < one["interval"][1]
    assert one["difference_interval"] == [1.0, 1.0]
    deep = similarities((TRUE.astype(np.uint16) * 257), (TRUE.astype(np.uint16) * 257) ^ 1)
    assert deep["psnr"][0] == pytest.approx(20 * np.log10(65535), abs=0.01)
    assert deep["rmse"][0] == pytest.approx(1)
