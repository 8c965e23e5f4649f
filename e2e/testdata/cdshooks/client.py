"""A CDS client made of healthchain's models: it finds the services, calls order-select, order-sign and patient-view with
requests that the models made, has the models read every answer, and sends feedback on the first card.

usage: client.py BASE TOKEN PATIENT LOINC
"""
import datetime
import json
import sys
import urllib.request
import uuid

from healthchain.models.hooks.orderselect import OrderSelectContext
from healthchain.models.hooks.ordersign import OrderSignContext
from healthchain.models.hooks.patientview import PatientViewContext
from healthchain.models.requests.cdsrequest import CDSRequest
from healthchain.models.responses.cdsdiscovery import CDSServiceInformation
from healthchain.models.responses.cdsresponse import CDSResponse

base, token, patient, loinc = sys.argv[1:]


def call(path, body=None):
    request = urllib.request.Request(base + path, headers={"Authorization": "Bearer " + token, "Content-Type": "application/json"})
    if body is not None:
        request.data = body.encode()
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def read(answer):
    """The models ask each link for an autoLaunchable, which the standard does not have (its autolaunchable is optional)."""
    answer = json.loads(answer)
    for link in (link for card in answer["cards"] for link in card.get("links", [])):
        link["autoLaunchable"] = link.get("autolaunchable", False)
    return CDSResponse.model_validate(answer)


services = {s.hook: s for s in CDSServiceInformation.model_validate_json(call("/cds-services")).services}
for hook in ("order-select", "order-sign", "patient-view"):
    assert hook in services, services

draft = {"resourceType": "ServiceRequest", "id": "draft-1", "status": "draft", "intent": "order", "subject": {"reference": "Patient/" + patient},
         "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]}}
orders = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": draft}]}
who = {"userId": "Practitioner/d1", "patientId": patient, "encounterId": "e1"}
contexts = {
    "order-select": OrderSelectContext(**who, selections=["ServiceRequest/draft-1"], draftOrders=orders),
    "order-sign": OrderSignContext(**who, draftOrders=orders),
    "patient-view": PatientViewContext(**who),
}
cards = {}
for hook, context in contexts.items():
    sent = CDSRequest(hook=hook, hookInstance=str(uuid.uuid4()), context=context)
    got = read(call("/cds-services/" + services[hook].id, sent.model_dump_json(exclude_none=True, serialize_as_any=True)))
    assert len(got.cards) == 1, (hook, got)
    cards[hook] = got.cards[0]

card = cards["order-select"]
assert card.uuid == cards["order-sign"].uuid, cards
assert card.suggestions[0].actions[0].type == "delete" and card.suggestions[0].actions[0].resourceId == "ServiceRequest/draft-1", card
assert card.overrideReasons and all(r.display for r in card.overrideReasons), card
assert all(link.type == "absolute" for link in card.links), card

now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
for outcome in (
    {"outcome": "accepted", "acceptedSuggestions": [{"id": card.suggestions[0].uuid}]},
    {"outcome": "overridden", "overrideReason": {"reason": {"code": card.overrideReasons[0].code, "system": card.overrideReasons[0].system}, "userComment": "术前复查"}},
):
    call("/cds-services/%s/feedback" % services["order-select"].id, json.dumps({"feedback": [{"card": card.uuid, "outcomeTimestamp": now, **outcome}]}))
print(card.uuid)
