"""Base classes of the settings' models, and the source through which the root one gets its tree."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, nothing changes after loading.

    A docstring under a field becomes its description in the JSON Schema.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


class TreeSource(PydanticBaseSettingsSource):
    """Hands the merged tree to pydantic-settings as the only source of values."""

    def __init__(self, settings_cls: type[BaseSettings], data: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._data = data

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of one field, its key, and False: no value needs decoding."""
        key = field.alias or field_name
        return self._data.get(key), key, False

    def __call__(self) -> dict[str, Any]:
        """All values, unknown ones included, so that they are reported."""
        return self._data


class RootSettings(BaseSettings):
    """Base of the root model. It reads no environment by itself: `relay.config.load` has merged it already.

    Its values are the tree handed in as `RootSettings(tree=…)`, or, in code, plain keywords.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """One source, the tree: precedence is the loader's business."""
        assert isinstance(init_settings, InitSettingsSource)
        data = init_settings.init_kwargs
        return (TreeSource(settings_cls, data["tree"] if set(data) == {"tree"} else data),)
