"""A plan's texts can be translated, and are English in every file."""

from __future__ import annotations

import json

from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.planning.shopping import shopping_list
from ucontact_appliance.planning.topology import make_plan, site_for_agents

spanish = translation(Language.ES)


def test_figures_and_reasons_in_spanish() -> None:
    plan = make_plan(site_for_agents(20), {})
    told = {spanish(row.figure): spanish(row.because) for row in plan.reasons}
    assert "small por debajo de 30" in told["tamaño"]
    assert told["puertos RTP"].endswith(" por llamada: RTP y RTCP, dos tramos, audio y video")
    bought = shopping_list(site_for_agents(20))[0]
    assert spanish(bought.note).startswith("sin medir: el cifrado de los medios de los agentes")


def test_a_stored_plan_is_in_english() -> None:
    plan = make_plan(site_for_agents(20), {})
    text = plan.model_dump_json()
    assert Plan.model_validate_json(text) == plan
    assert json.loads(text)["reasons"][0]["figure"] == "size"
    assert plan.model_dump(mode="json") == json.loads(text)
