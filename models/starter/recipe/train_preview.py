"""Train the preview decoder: a quick look at latents, in the layout of TAESD."""

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from . import pictures
from .canvas import paint
from .draw import draw
from .figures import Figure
from .hogwild import Lesson, Plan
from .latents import shelf
from .schooling import School, attend
from .sheet import page
from .train_vae import slopes_apart
from .wear import likeness, shown, unit

PLAN = Plan("preview", 6_400, 2e-3, warm=100, hold=0.3, ema=0.99, weight_decay=1e-4)
WIDTH, CODE_WIDTH = 16, 24  # 16 channels fill a vector unit; 20 would cost more than twice as much
BATCH = 8


class Glancing(msgspec.Struct):
    """The lesson of the preview decoder: from latents to the picture, and back."""

    pictures: NDArray[np.uint8]
    latents: NDArray[np.float16]
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """How far the picture and its edges are off, and how far its latents are."""
        index = np.sort(rng.integers(0, len(self.latents), BATCH))
        wanted = unit(np.asarray(self.pictures[index])).to(self.device) * 2 - 1
        latents = torch.from_numpy(np.asarray(self.latents[index], np.float32)).to(self.device)
        # half-finished pictures have latents that are a little off
        off = latents + 0.1 * float(rng.random()) * torch.randn_like(latents)
        with torch.autocast(self.device, torch.bfloat16):
            made, coded = model.decoder(off).float(), model.encoder(wanted).float()
        error = (made - wanted).square().mean()
        loss = (made - wanted).abs().mean() + 4 * error + 0.5 * slopes_apart(made, wanted)
        back = (coded - latents).square().mean()
        psnr = float(-10 * torch.log10(error.detach() / 4))
        return loss + 0.2 * back, {"psnr": psnr, "back": float(back.detach())}


def new_preview() -> Any:
    """An AutoencoderTiny without blocks in its last two stages: the full size is what costs time."""
    model = AutoencoderTiny(
        encoder_block_out_channels=(CODE_WIDTH,) * 4,
        decoder_block_out_channels=(WIDTH,) * 4,
        num_encoder_blocks=(0, 1, 1, 2),
        num_decoder_blocks=(4, 2, 0, 0),
    )
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, 1)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        for name, weight in model.named_parameters():
            if name.endswith("conv.4.weight"):  # of a block, before it is added to what it was given
                weight.mul_(0.2)
        model.decoder.layers[-1].bias.fill_(0.5)
        model.decoder.layers[-1].weight.mul_(0.2)
        model.encoder.layers[-1].weight.mul_(0.2)
    return model


def lesson(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from the pictures and their latents."""
    return Glancing(pictures.load(checkpoints / "pictures"), shelf(checkpoints / "latents").latents, device)


def write(_: Path, model: Any, folder: Path) -> None:
    """Write the model in half precision."""
    model.half().save_pretrained(folder)


def decoded(vae: Any, latents: Tensor) -> NDArray[np.uint8]:
    """Pictures of scaled latents, by the full or the preview decoder."""
    with torch.inference_mode():
        some = (latents / vae.config.scaling_factor).split(8)
        return np.concatenate([shown(vae.decode(one).sample / 2 + 0.5) for one in some])


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """PSNR against the full decoder and the render, beside a linear map of latents; and the time of both."""
    full = AutoencoderKL.from_pretrained(family / "base" / "vae", torch_dtype=torch.float32).to(device).eval()
    quick = AutoencoderTiny.from_pretrained(family / PLAN.name, torch_dtype=torch.float32).to(device).eval()
    renders = np.stack([paint(draw(seed)) for seed in range(count)])
    with torch.inference_mode():
        some = [full.encode(one).latent_dist.mean for one in (unit(renders) * 2 - 1).to(device).split(8)]
        latents = torch.cat(some) * full.config.scaling_factor
        again = torch.cat([quick.encode(one).latents for one in (unit(renders) * 2 - 1).to(device).split(8)])
    by_full, by_quick, by_line = decoded(full, latents), decoded(quick, latents), _linear(latents, renders)
    spent = _seconds(quick, latents[:4]) / _seconds(full, latents[:4])
    off = float((again - latents).square().mean() / latents.square().mean())
    name, db = PLAN.name, "dB"
    beside_full = likeness(by_quick, by_full), 24, likeness(by_line, by_full), db
    beside_render = likeness(by_quick, renders), 24, likeness(by_line, renders), db
    return [
        Figure(name, "against the full decoder", *beside_full),
        Figure(name, "against the render", *beside_render),
        Figure(name, "time of the full decoder's", spent, 0.1, 1.0, at_most=True),
        Figure(name, "latents missed by its encoder", off, 0.15, 1.0, at_most=True),
    ]


def contact(family: Path, store: Path) -> None:
    """Latents by the preview decoder, by the full one, and the picture they came from."""
    full = AutoencoderKL.from_pretrained(family / "base" / "vae", torch_dtype=torch.float32).eval()
    quick = AutoencoderTiny.from_pretrained(family / PLAN.name, torch_dtype=torch.float32).eval()
    renders = np.stack([paint(draw(seed)) for seed in range(8)])
    with torch.inference_mode():
        latents = full.encode(unit(renders) * 2 - 1).latent_dist.mean * full.config.scaling_factor
    page([decoded(quick, latents), decoded(full, latents), renders], store)


def _linear(latents: Tensor, renders: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The best that a fixed map from four numbers to a colour can do, fitted to these very pictures."""
    wanted = functional.avg_pool2d(unit(renders), 8).permute(0, 2, 3, 1).reshape(-1, 3)
    given = latents.cpu().permute(0, 2, 3, 1).reshape(-1, 4)
    given = torch.cat((given, torch.ones(len(given), 1)), 1)
    small = (given @ torch.linalg.lstsq(given, wanted).solution).reshape(len(renders), 16, 16, 3)
    return shown(functional.interpolate(small.permute(0, 3, 1, 2), scale_factor=8, mode="bilinear"))


def _seconds(vae: Any, latents: Tensor) -> float:
    """The processor time of one decoding, the least of five."""
    spent = []
    for _ in range(5):
        began = time.process_time()
        decoded(vae, latents)
        spent.append(time.process_time() - began)
    return min(spent)


SCHOOL = School(plan=PLAN, build=lambda _: new_preview(), lesson=lesson, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
