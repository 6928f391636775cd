"""The AI services as a program whose scripted model tells three words of a story and then waits for ever.

Started by `diptych serve tests.services.ai.conversations.program:create`; the settings come from the environment.
"""

from __future__ import annotations

from artificer_services.ai.build import AiService, AiSettings
from artificer_services.ai.models.scripted import ScriptedChat
from artificer_services.kit.composition import gateway_of
from artificer_services.kit.settings import service_settings
from diptych import Gateway, Settings
from tests.services.ai.conversations.gates import Gate


def create(settings: Settings) -> Gateway:
    """Returns the gateway."""
    service = AiService(service_settings(settings, "ai", AiSettings))
    for name in service.models.chat_names:
        model = service.models.chat_model(name)
        if isinstance(model, ScriptedChat):
            model.gate = Gate(3)
    return gateway_of(settings, [service])
