"""Drives a hub with fhirpy and with the Python fhirclient of SMART: clients.py URL TOKEN."""
import json
import sys
import uuid

from fhirclient import client as smart
from fhirclient.models.bundle import Bundle
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

url, token = sys.argv[1:]
mine = f"urn:python:{uuid.uuid4()}"  # so that it can be run again


def refused(error, do, saying):
    try:
        do()
    except error as e:
        assert saying in str(e), e
        return
    raise AssertionError(f"{error.__name__} was due, saying {saying}")


def observation(patient, n):
    return dict(status="final", code={"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, subject={"reference": patient},
                effectiveDateTime=f"2026-03-0{n}", valueQuantity={"value": 60 + n})


# fhirpy
hub = SyncFHIRClient(url, authorization=f"Bearer {token}")
patient = hub.resource("Patient", name=[{"text": "赵敏"}], identifier=[{"system": mine, "value": "1"}])
patient.save()
assert patient["meta"]["versionId"] == "1"
patient["birthDate"] = "1990-05-06"
patient.save()
assert patient["meta"]["versionId"] == "2"
patient.refresh()
assert hub.reference("Patient", patient.id).to_resource()["birthDate"] == "1990-05-06"
for n in range(1, 6):
    hub.resource("Observation", **observation(patient.to_reference().reference, n)).save()

observations = hub.resources("Observation").search(patient=patient.id).sort("-date")
assert [o["effectiveDateTime"] for o in observations.limit(2)] == [f"2026-03-0{n}" for n in (5, 4, 3, 2, 1)]  # three pages
assert len(observations.limit(2).fetch()) == 2
assert len(observations.search(date__ge="2026-03-02", date__lt="2026-03-04").fetch_all()) == 2
assert len(observations.search(code="http://loinc.org|8867-4", status__not="cancelled").fetch()) == 5
assert observations.first()["valueQuantity"]["value"] == 65
both = observations.include("Observation", "subject").fetch_raw()
assert sorted({e.search.mode for e in both.entry}) == ["include", "match"]
assert hub.resources("Patient").search(identifier=f"{mine}|1", name="zhaomin").get().id == patient.id
assert hub.resources("Patient").has("Observation", "patient", code="8867-4").search(identifier=f"{mine}|1").first().id == patient.id
assert patient.execute("$everything", "get")["type"] == "searchset"

# It counts with a parameter of its own (_totalMethod), which a strict hub does not know and a lenient one passes over.
refused(OperationOutcome, observations.count, "_totalMethod")
lenient = SyncFHIRClient(url, authorization=f"Bearer {token}", extra_headers={"Prefer": "handling=lenient"})
assert lenient.resources("Observation").search(patient=patient.id).count() == 5
# Its conditional create has the criteria in the URL, and its patch is a JSON Merge Patch; R4 has neither.
refused(OperationOutcome, lambda: hub.resources("Patient").search(identifier=f"{mine}|1").get_or_create(hub.resource("Patient")), "If-None-Exist")
refused(OperationOutcome, lambda: patient.patch(active=True), "Parameters")
changed, made = hub.resources("Patient").search(identifier=f"{mine}|2").update(hub.resource("Patient", identifier=[{"system": mine, "value": "2"}]))
assert made and changed["meta"]["versionId"] == "1"
changed.delete()
refused(ResourceNotFound, lambda: hub.reference("Patient", changed.id).to_resource(), "deleted")
refused(MultipleResourcesFound, lambda: hub.resources("Observation").search(patient=patient.id).update(hub.resource("Observation", **observation("Patient/1", 1))), "more than one")

# fhirclient, whose models refuse what is not R4
server = smart.FHIRClient(settings={"app_id": "it", "api_base": url}).server
server.session.headers["Authorization"] = f"Bearer {token}"
assert server.capabilityStatement.fhirVersion == "4.0.1"
found = Patient.where(struct={"identifier": f"{mine}|1"}).perform_resources(server)
assert [p.name[0].text for p in found] == ["赵敏"]
one = Patient.read(patient.id, server)
one.active = True
one.update(server)
assert Patient.read(patient.id, server).meta.versionId == "3"
made = Observation(observation(f"Patient/{patient.id}", 9), strict=True).create(server)
assert made["resourceType"] == "Observation", made
pages = Observation.where(struct={"patient": patient.id, "_count": "4", "_sort": "date"}).perform_iter(server)
assert [len(page.entry) for page in pages] == [4, 2]
assert len(list(Observation.where(struct={"patient": patient.id, "_count": "4"}).perform_resources_iter(server))) == 6
everything = Bundle(server.request_json(f"Patient/{patient.id}/$everything"), strict=True)
assert len(everything.entry) == 7
history = Bundle(server.request_json(f"Patient/{patient.id}/_history"), strict=True)
assert [e.request.method for e in history.entry] == ["PUT"] * 3, json.dumps(history.as_json())
