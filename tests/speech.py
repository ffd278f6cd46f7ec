"""Small tokenizers and text models of the kinds that transformer families read prompts with."""

from __future__ import annotations

from typing import Any

import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

SPECIAL = ("<pad>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "[CLS]", "[SEP]", "[gMASK]", "<sop>")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;!?'\"-<>|{}[]()_/=\n"
WORDS = len(SPECIAL) + len(LETTERS)
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def letters(length: int = 512, ends: bool = True) -> Any:
    """One that knows letters; with an end token behind each text, as T5 has it."""
    known = {word: number for number, word in enumerate((*SPECIAL, *LETTERS))}
    made = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    made.decoder = decoders.Fuse()
    if ends:
        made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens=list(SPECIAL[3:]), model_max_length=length, chat_template=CHAT,
    )  # fmt: skip


def t5(width: int = 32) -> Any:
    return transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=WORDS, d_model=width, d_ff=37, d_kv=8, num_layers=2, num_heads=4,
            feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip


SIZES = {
    "vocab_size": WORDS, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3,
}  # fmt: skip


def gemma(width: int = 16) -> Any:
    return transformers.Gemma2Model(transformers.Gemma2Config(hidden_size=width, **SIZES))


def qwen3(width: int = 16, layers: int = 2) -> Any:
    sizes = {**SIZES, "num_hidden_layers": layers}
    return transformers.Qwen3Model(transformers.Qwen3Config(hidden_size=width, **sizes))


def mistral(width: int = 16, layers: int = 31) -> Any:
    sizes = {**SIZES, "num_hidden_layers": layers}
    return transformers.MistralModel(transformers.MistralConfig(hidden_size=width, **sizes))


def llama(width: int = 16) -> Any:
    about = transformers.LlamaConfig(hidden_size=width, attn_implementation="eager", **SIZES)
    return transformers.LlamaForCausalLM(about)


def glm(width: int = 32) -> Any:
    return transformers.GlmModel(transformers.GlmConfig(hidden_size=width, **SIZES))


def bert(width: int = 32) -> Any:
    sizes = {"vocab_size": WORDS, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return transformers.BertModel(transformers.BertConfig(hidden_size=width, pad_token_id=0, **sizes))


def qwen_vl(width: int = 16) -> Any:
    text = {
        "hidden_size": width, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "vocab_size": WORDS, "rope_parameters": {
            "mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 10_000.0,
        },
    }  # fmt: skip
    sight = {
        "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": width,
        "fullatt_block_indexes": [0], "patch_size": 14,
    }  # fmt: skip
    about = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=sight)
    return transformers.Qwen2_5_VLForConditionalGeneration(about)


def smol(width: int = 16) -> Any:
    sizes = {**SIZES, "vocab_size": 128_001}  # its pipeline says nothing at all with the last of them
    return transformers.SmolLM3ForCausalLM(transformers.SmolLM3Config(hidden_size=width, **sizes))


def qwen3_vl(width: int = 16, layers: int = 2, writes: bool = False) -> Any:
    text = {
        **SIZES, "num_hidden_layers": layers, "hidden_size": width, "max_position_embeddings": 1024,
        "rope_parameters": {"mrope_section": [2, 1, 1], "rope_type": "default", "rope_theta": 10_000.0},
    }  # fmt: skip
    sight = {
        "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": width,
        "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
    }  # fmt: skip
    kind = transformers.Qwen3VLForConditionalGeneration if writes else transformers.Qwen3VLModel
    return kind(transformers.Qwen3VLConfig(text_config=text, vision_config=sight))


def qwen3_vl_sight() -> Any:
    """What such a model reads with: letters, and pictures that nobody shows it."""
    pictures, films = transformers.Qwen2VLImageProcessor(), transformers.Qwen3VLVideoProcessor()
    return transformers.Qwen3VLProcessor(pictures, letters(ends=False), films, chat_template=CHAT)
