"""What an endpoint would train next, and changes to that over HTTP."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from server.config import Config
from server.service.recipe import Recipe, changed
from server.service.serving import ModelCache
from server.service.training import current_recipe
from server.storage.endpoint_store import EndpointStore, own
from server.tables.preparation import unknown_columns

logger = logging.getLogger(__name__)


class Settings:
    """The recipe of one endpoint: the configuration's, and what config.json changes of it."""

    def __init__(self, name: str, config: Config, store: EndpointStore, models: ModelCache) -> None:
        self._name = name
        self._config = config
        self._store = store
        self._models = models

    def recipe(self) -> Recipe:
        """What would be trained now."""
        return current_recipe(self._config, self._name, self._store, self._models)

    def with_given(self, given: Mapping[str, Any]) -> Recipe:
        """What would be trained with these options and parameters; nothing is changed.

        Raises:
            UnknownClass, InvalidParameter: they cannot be.
        """
        if not given:
            return self.recipe()
        settings = own(self._changed(given))
        return current_recipe(self._config, self._name, self._store, self._models, settings)

    def change(self, given: Mapping[str, Any]) -> Recipe:
        """Keep these options and parameters; what would be trained then.

        Raises:
            UnknownClass, InvalidParameter: nothing is changed.
        """
        with self._store.changing():
            settings = self._changed(given)
            self._store.save_settings(settings["transform"], settings["model"])
        recipe = self.recipe()
        self._warn_of_unknown_columns(recipe)
        return recipe

    def forget(self, options: Sequence[str]) -> None:
        """Let the configuration's values of these options hold again."""
        with self._store.changing():
            settings = self._changed({})
            kept = {name: value for name, value in settings["transform"].items() if name not in options}
            self._store.save_settings(kept, settings["model"])

    def _changed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        server = self._config.server
        return changed(self._store.settings(), self.recipe(), given, server.classes, server.limits.parameters)

    def _warn_of_unknown_columns(self, recipe: Recipe) -> None:
        columns = self._store.data.columns()
        source = self._config.models[self._name].kwargs.data
        # What a transform makes of the columns is seen, and told, in the training.
        if columns and not (source and source.transform):
            rows = pd.DataFrame(columns=[column.name for column in columns])
            for option, names in unknown_columns(rows, recipe.options.to_dict()).items():
                logger.warning("%s: %s names columns that the data does not have: %s", self._name, option, names)
