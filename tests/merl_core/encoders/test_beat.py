import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from merl_core.encoders.beat import BeatFeatures, BeatReader, find_beats
from merl_core.model import EcgConfig, MerlModel, ModelConfig, SignalConfig
from merl_core.preprocess import bandpass
from merl_core.records import STANDARD_LEADS
from merl_core.simulate import SimulatedBatch, simulate

FS = 100.0
R, S, ST = 0, 1, 13
"""Blocks of twelve among the features: highest and lowest of QRS, 110 ms after its steepest."""


def drawn(findings: tuple[str, ...], n: int = 24, noise: float = 0.3) -> SimulatedBatch:
    return simulate([findings] * n, n_records=n, fs=FS, seed=7, noise_level=noise)


def filtered(batch: SimulatedBatch) -> Tensor:
    return torch.from_numpy(bandpass(batch.signals, FS))


def millivolts(features: Tensor, block: int) -> np.ndarray:
    return np.sinh(features[:, 12 * block : 12 * block + 12].numpy()) * 0.15


@pytest.mark.parametrize(
    "rhythm", ["sinus-bradycardia", "sinus-rhythm", "sinus-tachycardia", "atrial-fibrillation"]
)
def test_as_many_beats_are_found_as_the_rate_says(rhythm: str) -> None:
    batch = drawn((rhythm,))
    found = find_beats(filtered(batch), FS).sum(dim=-1).numpy()
    expected = batch.measurements["heart_rate_bpm"] / 6
    assert np.mean(np.abs(found - expected) <= 1.01) > 0.9


def test_what_is_measured_is_what_was_drawn() -> None:
    batch = drawn(("sinus-rhythm",), n=64)
    features = BeatFeatures(12, FS)(filtered(batch))
    for block, name, least in ((R, "r_mv", 0.95), (S, "s_mv", 0.93), (ST, "st_mv", 0.7)):
        found, expected = millivolts(features, block), batch.measurements[name]
        assert abs(np.corrcoef(found.ravel(), expected.ravel())[0, 1]) > least, name
    rate = features[:, 12 * 25 + 5].numpy() * 60
    np.testing.assert_allclose(rate, batch.measurements["heart_rate_bpm"], atol=3)


def test_a_wide_early_beat_hardly_changes_the_amplitudes_of_the_others() -> None:
    x = filtered(drawn(("sinus-rhythm",), noise=0.0))
    disturbed = x.clone()
    wide = 1.5 * torch.sin(torch.linspace(0, 3 * torch.pi, 24))
    for row, beats in zip(disturbed, find_beats(x, FS), strict=True):
        place = int(beats.nonzero()[3, 0]) + 35
        row[:, place : place + 24] += wide
    measure = BeatFeatures(12, FS)
    one, two = (millivolts(measure(signals), R) for signals in (x, disturbed))
    assert np.median(np.abs(one - two)) < 0.03
    assert np.median(np.abs(two)) > 0.2
    share_of_strange_beats = 12 * 25 + 5 + 7
    assert float((measure(disturbed) - measure(x))[:, share_of_strange_beats].median()) > 0.03


def test_irregular_rhythm_is_told_from_regular_one() -> None:
    regular = BeatFeatures(12, FS)(filtered(drawn(("sinus-rhythm",))))
    irregular = BeatFeatures(12, FS)(filtered(drawn(("atrial-fibrillation",))))
    jump = 12 * 25 + 5 + 3
    assert irregular[:, jump].median() > 3 * regular[:, jump].median()


def test_padding_a_recording_with_zeros_changes_its_measurements_little() -> None:
    x = filtered(drawn(("sinus-rhythm",)))[:, :, :800]
    padded = torch.nn.functional.pad(x, (100, 100))
    one, two = (BeatFeatures(12, FS)(signals) for signals in (x, padded))
    assert float((one - two).abs().quantile(0.95)) < 0.05


def test_twice_the_voltage_measures_twice() -> None:
    x = filtered(drawn(("sinus-rhythm",)))
    measure = BeatFeatures(12, FS)
    np.testing.assert_allclose(
        millivolts(measure(2 * x), R), 2 * millivolts(measure(x), R), rtol=1e-3, atol=1e-5
    )


def test_measurements_do_not_depend_on_who_else_is_in_the_batch() -> None:
    x = filtered(drawn(("atrial-fibrillation",), n=5))
    measure = BeatFeatures(12, FS)
    alone = torch.cat([measure(one[None]) for one in x])
    torch.testing.assert_close(measure(x), alone, atol=1e-4, rtol=1e-4)


def test_order_of_leads_moves_measurements_and_changes_none() -> None:
    x = filtered(drawn(("sinus-rhythm",), n=4))
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    measure = BeatFeatures(12, FS)
    one, two = measure(x), measure(x[:, order])
    torch.testing.assert_close(one[:, :12][:, order], two[:, :12], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(one[:, 300:], two[:, 300:], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("sig_len", [120, 1000])
def test_a_recording_without_beats_gives_finite_numbers(sig_len: int) -> None:
    measure = BeatFeatures(len(STANDARD_LEADS), FS)
    flat = torch.zeros(2, 12, sig_len)
    flat[1, 3, 40:80] = 0.01
    features = measure(flat)
    assert features.shape == (2, measure.n_features)
    assert bool(features.isfinite().all())


def test_a_reader_adds_noise_in_training_alone() -> None:
    torch.manual_seed(0)
    reader = BeatReader(5, 4, 3, dropout=0.0, noise=0.5)
    measured = torch.randn(8, 5)
    reader.train()
    assert not torch.equal(reader(measured), reader(measured))
    reader.eval()
    torch.testing.assert_close(reader(measured), reader(measured))


def test_the_network_and_the_reader_count_alike() -> None:
    torch.manual_seed(0)
    ecg = EcgConfig(depths=(1, 1), widths=(4, 8), beat_width=4)
    model = MerlModel(ModelConfig(ecg=ecg, embed_dim=6)).eval()
    x = filtered(drawn(("sinus-rhythm",), n=3))
    with torch.inference_mode():
        parts = [torch.nn.functional.normalize(p, dim=-1) for p in model.project_parts(x)[1]]
        whole = model.encode_ecg(x)
        given = model.encode_ecg(x, model.measure(x))
    assert len(parts) == 2
    torch.testing.assert_close(whole, torch.nn.functional.normalize(parts[0] + parts[1], dim=-1))
    torch.testing.assert_close(whole, given)


def test_a_reader_is_refused_where_it_cannot_measure() -> None:
    with pytest.raises(ValidationError, match="statistics pool"):
        EcgConfig(pool="mean", beat_width=4)
    with pytest.raises(ValidationError, match="millivolts"):
        ModelConfig(ecg=EcgConfig(beat_width=4), signal=SignalConfig(normalization="merl_minmax"))
