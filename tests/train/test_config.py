"""Recipes: what is read, what is refused, and with which sentence."""

import json
from pathlib import Path

import pytest

from retrieval.errors import BadInputError
from train.config import RECIPES, TrainConfig, from_settings, override, read_recipe

LEAST = {"benchmark": {"name": "catalogue"}, "loss": {"name": "triplet"}}


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        'seed = 3\n[benchmark]\nname = "folder"\nroot = "photos"\n'
        '[loss]\nname = "triplet"\nmargin = 0.3\n[encoder]\ndim = 64\n[schedule]\nwarmup = 2\n'
    )
    config = read_recipe(recipe)
    assert config.benchmark == {"name": "folder", "root": "photos"}
    assert config.loss == {"name": "triplet", "margin": 0.3}
    assert (config.seed, config.encoder.dim, config.encoder.size) == (3, 64, None)
    assert config.schedule.warmup == 2.0
    assert isinstance(config.schedule.warmup, float)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_house_is_one(path: Path) -> None:
    assert read_recipe(path.stem) == read_recipe(path)


def test_settings_survive_json() -> None:
    config = from_settings(override(LEAST, ["encoder.pooling.name=gem", "encoder.pooling.p=4.0"]))
    assert from_settings(json.loads(json.dumps(config.settings()))) == config


@pytest.mark.parametrize(
    ("setting", "where", "value"),
    [
        ("loss.margin=0.2", ("loss", "margin"), 0.2),
        ("encoder.backbone=resnet50", ("encoder", "backbone"), "resnet50"),
        ('encoder.backbone="resnet50"', ("encoder", "backbone"), "resnet50"),
        ("run.compile=true", ("run", "compile"), True),
        ("benchmark.root=/data/a b=c", ("benchmark", "root"), "/data/a b=c"),
    ],
)
def test_override(setting: str, where: tuple[str, str], value: object) -> None:
    assert override(LEAST, [setting])[where[0]][where[1]] == value


def test_override_leaves_its_argument_alone_and_the_last_wins() -> None:
    values = {"loss": {"name": "triplet"}}
    assert override(values, ["loss.margin=1", "loss.margin=2"])["loss"]["margin"] == 2
    assert values == {"loss": {"name": "triplet"}}


def test_override_of_an_option_turns_a_name_into_a_table() -> None:
    changed = override({"encoder": {"pooling": "gem"}}, ["encoder.pooling.p=4"])
    assert changed["encoder"]["pooling"] == {"name": "gem", "p": 4}


@pytest.mark.parametrize("setting", ["loss.margin", "=2", ".a=2", "loss.=2"])
def test_override_must_be_key_and_value(setting: str) -> None:
    with pytest.raises(BadInputError, match=r"--set must be KEY=VALUE; got .*Write for example"):
        override(LEAST, [setting])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["sede=1"], r"recipe: no setting called 'sede'; known: .*Did you mean 'seed'\?"),
        (
            ["sampler.imags=1"],
            r"no setting called 'sampler.imags'; .*Did you mean 'sampler.images'\?",
        ),
        (["seed=0.5"], "recipe: seed must be int; got 0.5"),
        (["seed=true"], "seed must be int; got True"),
        (["encoder.dim=wide"], "encoder.dim must be int; got 'wide'"),
        (["encoder.pooling=3"], "encoder.pooling must be str or dict; got 3"),
        (["optimizer=3"], r"optimizer must be a table; got 3\. Write \[optimizer\]"),
        (["sampler.images=0"], "sampler.images must be 1 or more; got 0"),
        (["run.precision=fp8"], "no precision called 'fp8'; known: fp32, bf16"),
        (["run.device=tpu"], "no device called 'tpu'"),
        (["optimizer.name=adam"], r"no optimizer called 'adam'; .*Did you mean 'adamw'\?"),
        (["augment.hue=0.7"], r"augment.hue must be in \[0, 0.5\]; got 0.7"),
        (["optimizer.clip_norm=0"], "optimizer.clip_norm must be above 0; got 0"),
        (["schedule.warmup=99"], r"schedule.warmup must be in \[0, 20\]; got 99"),
        (["validation_share=nan"], r"validation_share must be in \[0, 0.5\]; got nan"),
    ],
)
def test_what_is_refused(settings: list[str], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        from_settings(override(LEAST, settings))


def test_a_recipe_needs_data_and_a_loss() -> None:
    with pytest.raises(BadInputError, match=r"recipe must have the table \[loss\]; got none"):
        from_settings({"benchmark": {"name": "folder"}})
    with pytest.raises(BadInputError, match=r"loss must be a table with a name; got \{'margin': 1"):
        from_settings({"benchmark": {"name": "folder"}, "loss": {"margin": 1}})


def test_recipes_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no recipe called 'catalog'; .*mean 'catalogue'\?"):
        read_recipe("catalog")
    with pytest.raises(BadInputError, match=r"recipe must be a file; got .*none\.toml"):
        read_recipe(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("seed = = 3")
    with pytest.raises(BadInputError, match=r"broken\.toml must be a TOML file; got .*line 1"):
        read_recipe(broken)


def test_with_root_changes_nothing_else() -> None:
    config = from_settings(LEAST)
    moved = config.with_root(Path("elsewhere"))
    assert moved.benchmark == {"name": "catalogue", "root": "elsewhere"}
    assert isinstance(moved, TrainConfig)
    assert moved.settings() | {"benchmark": {}} == config.settings() | {"benchmark": {}}


def test_a_backbone_cannot_rest_where_nothing_else_learns() -> None:
    settings = ["schedule.backbone_from=2"]
    with pytest.raises(BadInputError, match=r"must be 0 without encoder\.dim.*; got 2"):
        from_settings(override(LEAST, settings))
    assert from_settings(override(LEAST, [*settings, "encoder.dim=8"])).schedule.backbone_from == 2
