"""The torch network has exactly the complexity that the arithmetic says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from eahas.space.architectures.regnet import (  # noqa: E402
    NetworkFacts,
    Stages,
    complexity,
    generate_regnet,
    stages_of,
)
from regnet_hpo.network import RegNet, initialise  # noqa: E402
from sweeps.specs import load_spec  # noqa: E402

IMAGENET = NetworkFacts(64, 3, 20, 32, stem="simple_stem_in")
SMALL = generate_regnet(6, 16, 8.0, 2.0, 4)
CASES = {
    "three stages": (generate_regnet(5, 24, 90.0, 2.49, 8), IMAGENET),
    "no SE": (SMALL, replace(IMAGENET, se_ratio=0.0)),
    "stride 1": (SMALL, replace(IMAGENET, image_size=16, stride=1)),
    "odd image": (SMALL, replace(IMAGENET, image_size=33)),
    "tiny image": (SMALL, replace(IMAGENET, image_size=2)),
    "bottleneck 1/4": (
        generate_regnet(4, 64, 32.0, 2.0, 8, 0.25),
        replace(IMAGENET, bottleneck_multiplier=0.25),
    ),
    "bottleneck 2": (
        generate_regnet(4, 16, 16.0, 2.0, 24, 2.0),
        replace(IMAGENET, bottleneck_multiplier=2.0),
    ),
}


def sampled(name: str, seed: int) -> tuple[Stages, NetworkFacts]:
    spec = load_spec(name)
    assert spec.network is not None
    return stages_of(spec.space.check(spec.space.sample(seed=seed)), spec.network), spec.network


CASES |= {"digits": sampled("regnet-digits", 1), "cifar10": sampled("regnet-cifar10", 1)}


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[Stages, NetworkFacts, RegNet]:
    stages, facts = CASES[request.param]
    network = RegNet(stages, facts)
    initialise(network, torch.Generator().manual_seed(0))
    return stages, facts, network.eval()


def images(facts: NetworkFacts, n: int = 1) -> Any:
    generator = torch.Generator().manual_seed(1)
    size = facts.image_size
    return torch.randn(n, facts.in_channels, size, size, generator=generator)


def test_parameters(case: tuple[Stages, NetworkFacts, RegNet]) -> None:
    stages, facts, network = case
    counted = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert counted == complexity(stages, facts).params


def test_output_shape(case: tuple[Stages, NetworkFacts, RegNet]) -> None:
    _, facts, network = case
    with torch.no_grad():
        logits = network(images(facts, 2))
    assert logits.shape == (2, facts.classes)
    assert torch.isfinite(logits).all()


@pytest.mark.filterwarnings("ignore")  # tracing is what fvcore does, and what torch warns of
def test_fvcore_counts_the_same(case: tuple[Stages, NetworkFacts, RegNet]) -> None:
    """Multiply-adds of convolutions and linears, for which fvcore leaves the biases out."""
    analysis = pytest.importorskip("fvcore.nn", reason="needs fvcore")
    stages, facts, network = case
    found = complexity(stages, facts)
    biases = sum(m.bias.numel() for m in network.modules() if isinstance(m, torch.nn.Linear))
    flops = analysis.FlopCountAnalysis(network, images(facts)).unsupported_ops_warnings(False)
    counts = flops.by_operator()
    assert sum(counts.values()) == counts["conv"] + counts["linear"]
    assert sum(counts.values()) + biases == found.flops
    acts = analysis.ActivationCountAnalysis(network, images(facts)).unsupported_ops_warnings(False)
    assert acts.total() == found.acts
