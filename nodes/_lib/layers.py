"""All that is put around a denoiser for one run, in its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from diffusers import FluxTransformer2DModel, SD3Transformer2DModel, T2IAdapter, UNet2DConditionModel

from engine.errors import BadInput
from engine.types import Conditioning, Tweak
from nodes._lib import doubles
from nodes._lib.blurring import Watched, watching
from nodes._lib.heeding import Eyes, Seeing
from nodes._lib.hinting import Hinted
from nodes._lib.joining import JOINED, Joined
from nodes._lib.likening import Attending, Likeness, Shown, attending
from nodes._lib.regions import Joint, Prompted, within
from nodes._lib.steering import Level, Steered, Steering
from nodes._lib.windows import Sides, Window, Windows, windows
from nodes._lib.wraps import Filling, Guided, Guiding, Halves
from nodes.guidance import Blur, Interval, Perturbation, Projection, Rescale
from nodes.tweaks import FreeU, InWindows, Seamless, one

Tweaks = Sequence[Tweak]


class Layers(NamedTuple):
    """What one run wants of its denoiser."""

    size: Sides
    factor: int
    """Pixels along a cell of the latent."""
    guidance: float
    steps: int
    """Of the whole way."""
    step: Callable[[Any], int]
    """Which of them is being walked at a time."""
    place: Callable[[Any], int]
    """Which of so many calls of the denoiser it is."""
    calls: int
    level: Callable[[Any], Level]
    """How much noise is left at a time."""
    check: Callable[[], None]
    hole: tuple[torch.Tensor, torch.Tensor] | None = None
    """A mask and what lies around it, for a denoiser that must see them."""
    guides: Sequence[Guiding] = ()
    likenesses: Sequence[Likeness] = ()
    """Pictures that are heeded beside the words."""
    sides: Sequence[Conditioning] = ()
    """Prompts that are not the same everywhere and always."""
    halves: bool = False
    watched: list[Watched] | None = None
    """Where to put, for each window, who remembers what is looked at."""
    eyes: Eyes | None = None
    """Who sees which words are heeded where."""

    def around(self, unet: Any, tweaks: Tweaks = ()) -> Any:
        """The denoiser as the pipeline meets it."""
        if tweaks and not isinstance(unet, UNet2DConditionModel):
            what = ", ".join(type(tweak).__name__ for tweak in tweaks)
            remedy = "Leave these out for this model; they are for Stable Diffusion and its kin."
            raise BadInput("model", got=f"a {type(unet).__name__} with {what}", want="a UNet", remedy=remedy)
        views = self.views(tweaks)
        run, unet = self.tweaked(unet, tweaks, views)
        unet = unet if self.eyes is None else self.eyes.on(unet)
        found = run.steered(unet, steering(self.guidance, tweaks), views)
        return Shown(found, self.likenesses) if self.likenesses else found

    def steered(self, unet: Any, how: Steering | None, views: Sequence[Window]) -> Any:
        if how is None:
            return self.seen(unet, views)
        unseen = self._replace(eyes=None)
        blind = unseen.seen(doubles.perturbed(unet), views) if how.perturbation else None
        ground = unseen._replace(sides=self.sides[:1]).seen(unet, views) if how.blur else None
        watched: list[Watched] = []
        if how.blur:
            found = self._replace(watched=watched).seen(watching(unet), views)
        else:
            found = self.seen(unet, views)
        return Steered(found, how, self.step, self.steps, self.level, blind, watched, ground)

    def views(self, tweaks: Tweaks) -> Sequence[Window]:
        """The windows that it is drawn in; one if it is drawn as a whole."""
        if (tiles := one(tweaks, InWindows)) is None:
            return windows(self.size, self.size, 0, (False, False))
        seamless = one(tweaks, Seamless) or Seamless(False, False)
        window = tiles.height // self.factor, tiles.width // self.factor
        overlap = tiles.overlap // self.factor
        return windows(self.size, window, overlap, (seamless.down, seamless.across))

    def tweaked(self, unet: Any, tweaks: Tweaks, views: Sequence[Window]) -> tuple[Layers, Any]:
        """Doubles with their settings where there are any; the weights that others use stay untouched."""
        run = self
        if (ends := one(tweaks, Seamless)) is not None:
            # along a side that windows go round, each of them has edges like any other picture
            whole = len(views[0].columns) == self.size[1], len(views[0].rows) == self.size[0]
            free = ends.across and whole[0], ends.down and whole[1]
            unet = doubles.endless(unet, *free)
            run = self._replace(
                guides=[guide._replace(net=doubles.endless(guide.net, *free)) for guide in self.guides]
            )
        if (free_u := one(tweaks, FreeU)) is not None:
            unet = doubles.double(unet)
            unet.enable_freeu(free_u.s1, free_u.s2, free_u.b1, free_u.b2)
        if self.likenesses:
            unet = attending(unet, self.likenesses)
        return run, unet

    def seen(self, unet: Any, views: Sequence[Window]) -> Any:
        if len(views) == 1:
            return self.layered(unet, views[0])
        parts = [(view, self.layered(unet, view)) for view in views]
        return Windows(parts, self.size, self.check)

    def layered(self, unet: Any, view: Window) -> Any:
        """The denoiser with what it sees, through one window, of what it is shown besides the latent."""
        found = unet if self.eyes is None else Seeing(unet, self.eyes, view)
        if self.watched is not None:
            found = Watched(found, view)
            self.watched.append(found)
        if self.likenesses:
            heeded = [one.within(view, self.factor) for one in self.likenesses]
            found = Attending(found, heeded, self.place, self.calls)
        if self.hole is not None:
            found = Filling(found, *map(view.of, self.hole))
        joined = [guide for guide in self.guides if isinstance(guide.net, JOINED)]
        if joined:  # a transformer looks at the whole picture
            found = Joined(found, joined, self.place, self.calls)
        guides = [
            guide._replace(picture=view.of(guide.picture, self.factor))
            for guide in self.guides
            if not isinstance(guide.net, JOINED)
        ]
        if hints := [guide for guide in guides if isinstance(guide.net, T2IAdapter)]:
            found = Hinted(found, hints, self.place, self.calls)
        if nets := [guide for guide in guides if not isinstance(guide.net, T2IAdapter)]:
            found = Guided(found, nets, self.place, self.calls)
        if self.halves:
            found = Halves(found)
        if self.sides:
            sides = [within(side, view, self.size) for side in self.sides]
            if isinstance(unet, (SD3Transformer2DModel, FluxTransformer2DModel)):
                return Joint(found, sides, self.step, self.steps, self.size)
            found = Prompted(found, sides, self.step, self.steps)
        return found


def steering(scale: float, tweaks: Tweaks) -> Steering | None:
    """How to put answers together, if not as the pipeline does."""
    rescale, interval = one(tweaks, Rescale), one(tweaks, Interval)
    perturbation, projection = one(tweaks, Perturbation), one(tweaks, Projection)
    blur = one(tweaks, Blur)
    if not (rescale or interval or perturbation or blur or projection):
        return None
    return Steering(
        scale,
        rescale=rescale.amount if rescale else 0.0,
        start=interval.start if interval else 0.0,
        end=interval.end if interval else 1.0,
        perturbation=perturbation.scale if perturbation else 0.0,
        blur=blur.scale if blur else 0.0,
        projection=(projection.along, projection.largest, projection.momentum) if projection else None,
    )
