"""Scores of pictures: how different two look, how much people like such ones; and keeping what is found."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from engine.errors import BadInput
from engine.memory import loader, weights
from engine.models import ModelFile, content, content_of, models
from engine.node import NAME, node
from engine.types import Artifact, Image, Matcher, Model, Prompt, Score, model_name
from nodes.load import identity

BackboneName = Annotated[str, model_name("backbone", "A network that LPIPS looks with")]
LpipsName = Annotated[str, model_name("lpips", "An LPIPS head")]
AestheticName = Annotated[str, model_name("aesthetic", "An aesthetic head")]
Metric = Annotated[
    str,
    Meta(pattern=f"^{NAME.pattern}$", max_length=64, description='What was measured, such as "clip".'),
]


class Backbone(Model, frozen=True, eq=False):
    """Weights that see edges, textures and parts of things in pictures."""


class PerceptualModel(Model, frozen=True, eq=False, kw_only=True):
    """Weights that tell how much each difference that a backbone sees counts for people."""

    backbone: Backbone


class AestheticHead(Model, frozen=True, eq=False):
    """Weights that tell how much people like pictures, by what a CLIP sees in them."""


class Recorded(NamedTuple):
    value: float
    record: Score


# -- models that judge


def content_of_both(model: str, backbone: str, **_: object) -> str:
    return f"{content(model, 'lpips')} {content(backbone, 'backbone')}"


@node(category="scores", kind="source", lane="io", fingerprint=content_of_both)
def load_perceptual_model(
    model: LpipsName = "lpips-vgg", backbone: BackboneName = "vgg16"
) -> PerceptualModel:
    """Choose an LPIPS: it tells how different two pictures look to people.

    `backbone` is a network that was trained on photos: the convolutions of torchvision's VGG-16 or AlexNet, a
    file in the folder `backbones` of the models folder. `model` is the head that was trained on people's
    answers for that very network, a file in `lpips`. Without the real files there is no score: what random
    weights would say means nothing.
    """
    from nodes._lib import perceiving

    here = models()
    head, eyes = here.find(model, "lpips"), here.find(backbone, "backbone")
    perceiving.check_pair(head, eyes)
    return PerceptualModel(
        *identity(head, "lpips"), "float32", backbone=Backbone(*identity(eyes, "backbone"), "float32")
    )


@node(category="scores", kind="source", lane="io", fingerprint=content_of("aesthetic"))
def load_aesthetic_head(model: AestheticName = "aesthetic-linear") -> AestheticHead:
    """Choose a head that was taught how much people liked pictures, by what a CLIP sees in them.

    `model` is a file in the folder `aesthetic` of the models folder: LAION's linear head, or the head of five
    layers that came after it ("improved aesthetic predictor").
    """
    from nodes._lib import perceiving

    file = models().find(model, "aesthetic")
    perceiving.check_head(file)
    return AestheticHead(*identity(file, "aesthetic"), "float32")


# -- their scores


@node(category="scores", lane="gpu")
def perceptual_distance(model: PerceptualModel, a: Image, b: Image) -> float:
    """How different two pictures of the same size look (LPIPS): 0 is equal, and about 1 nothing alike.

    It forgives what people forgive, such as grain or a step to the side, and minds what they mind, such as
    blur. Compare only figures of the same model.
    """
    from nodes._lib import perceiving

    perceiving.check_pictures(a, b)
    with weights(model.backbone) as net, weights(model) as head:
        return perceiving.distance(net, head, a, b)


@node(category="scores", lane="gpu")
def aesthetic_score(head: AestheticHead, model: Matcher, image: Image) -> float:
    """How much people would like a picture, about 1 to 10; most pictures of the web get 4 to 6.

    `model` is the CLIP for whose eyes the head was trained, which for LAION's is ViT-L/14 ("clip-large"). It
    learnt the taste of those who were asked, and knows nothing of what a picture is for.
    """
    from nodes._lib import perceiving

    with weights(model) as held, weights(head) as layers:
        return perceiving.liking(held, layers, image, head.name)


# -- keeping them


@node(category="scores", kind="effect", lane="inline")
def record_score(
    picture: Artifact,
    metric: Metric,
    value: float,
    prompt: Prompt = "",
    reference: Artifact | None = None,
    model: Model | None = None,
) -> Recorded:
    """Keep a score with a saved or uploaded picture, so that pictures can be sorted by it.

    `prompt`, `reference` and `model` say what it was measured against and by whom: wire them where there are
    any. The same measured again takes the place of what was.
    """
    if not math.isfinite(value):
        raise BadInput("value", got=value, want="a finite number")
    known = ("", "") if model is None else (model.name, model.sha256)
    against = "" if reference is None else reference.sha256
    return Recorded(value, Score(picture, metric, value, prompt, against, *known))


@loader(Backbone, kinds=("backbone",))
def load_backbone(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The convolutions of a VGG-16 or an AlexNet."""
    from nodes._lib import perceiving

    return perceiving.backbone(file, device)


@loader(PerceptualModel, kinds=("lpips",))
def load_lpips(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """What counts for people of each thing that a backbone sees."""
    from nodes._lib import perceiving

    return perceiving.head(file, device)


@loader(AestheticHead, kinds=("aesthetic",))
def load_aesthetic(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """The layers of an aesthetic head."""
    from nodes._lib import perceiving

    return perceiving.layers(file, device)
