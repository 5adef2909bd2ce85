"""The HTTP API: answers are those of the library, refusals are in its words, nothing gets past the guard."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
import xarray as xr

import inscape
from inscape import prediction
from inscape.errors import InscapeError
from inscape.results import Prediction
from inscape.structure_model import shipped_model
from inscape.structures import parse_structure, read_structure
from inscape.web.views import dataset_view
from webservice import COPPER, QUARTZ, mutated, numbers, serving, structure

API = "/api/v1"
SMALL = {"de": 2.0, "dq": 1.0, "road": "code"}


@pytest.fixture(scope="module")
def client(model, tmp_path_factory):
    """A running service."""
    with serving(model, tmp_path_factory.mktemp("web") / "store.sqlite") as client:
        yield client


@pytest.fixture(scope="module")
def made(client):
    """A prediction of quartz."""
    return client.post(f"{API}/predict", json={"structure": structure(), **SMALL}).json()


@pytest.fixture
def predict(model, monkeypatch):
    """The library's own prediction with the same model."""
    monkeypatch.setattr(prediction, "shipped_model", lambda: model)
    crystal = parse_structure(QUARTZ)
    return lambda **options: inscape.predict(crystal, **options).dataset


def same(answer, dataset, *names):
    """Whether variables of an answer are those of a dataset."""
    for name in names:
        found = answer["variables"][name]
        assert tuple(found["dims"]) == dataset[name].dims
        assert found["units"] == dataset[name].attrs["units"]
        np.testing.assert_allclose(numbers(found["values"]), dataset[name].values, rtol=2e-6)
        for dim in found["dims"]:
            if f"{dim}_edges" in dataset.coords:
                np.testing.assert_array_equal(numbers(answer["axes"][dim]["edges"]), dataset[f"{dim}_edges"].values)
    return True


# ---- answers are those of the library


def test_a_prediction_is_that_of_the_library(made, predict):
    assert same(made, predict(**SMALL), "dos", "powder", "powder_incoherent")
    assert made["summary"] == json.loads(json.dumps(Prediction(predict(**SMALL)).summary()))
    assert made["settings"]["de"] == 2.0
    assert made["cell"]["symbols"].count("Si") >= 3


def test_both_forms_of_arrays_hold_the_same_numbers(client, made):
    query = {"variables": ["dos", "powder"], "arrays": "base64"}
    packed = client.get(f"{API}/results/{made['id']}", params=query).json()
    for name in query["variables"]:
        lists = numbers(made["variables"][name]["values"])
        np.testing.assert_allclose(numbers(packed["variables"][name]["values"]), lists, rtol=1e-6)


@pytest.mark.parametrize(
    ("query", "options", "name"),
    [
        ({"temperature": 15}, {"temperature": 15.0}, "powder"),
        ({"temperature": 0}, {"temperature": 0.0}, "powder_coherent"),
        ({"ei": 60}, {"ei": 60.0}, "instrument_map"),
        ({"ei": 60, "multiphonon": True}, {"ei": 60.0, "multiphonon": True}, "powder_multiphonon"),
        ({"plane": "H0L"}, {"plane": ((1, 0, 0), (0, 0, 1))}, "crystal"),
        (
            {"plane": "1 1 0; 0 0 1", "temperature": 500},
            {"plane": ((1, 1, 0), (0, 0, 1)), "temperature": 500},
            "crystal",
        ),
        ({"de": 1.0}, {"de": 1.0}, "dos"),
        ({"isotopes": ["Si=28Si"], "kinds": ["dos"]}, {"isotopes": {"Si": "28Si"}, "kinds": ("dos",)}, "dos"),
    ],
)
def test_what_is_looked_at_anew_is_what_would_be_predicted(client, made, predict, query, options, name):
    answer = client.get(f"{API}/results/{made['id']}", params={**query, "variables": [name]})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["variables"]) == {name}
    assert same(answer.json(), predict(**{**SMALL, **options}), name)


def test_looking_anew_asks_the_models_no_second_time(client, made, model, monkeypatch):
    asked = []
    monkeypatch.setattr(type(model), "__call__", lambda self, *a, **k: asked.append(a))
    for kelvin in (10, 20):
        assert client.get(f"{API}/results/{made['id']}", params={"temperature": kelvin}).status_code == 200
    assert not asked


def test_what_is_reproduced_is_the_settings(client, made):
    query = {"temperature": 10, "plane": "HHL", "isotopes": ["Si=28Si"], "kinds": ["dos"]}
    found = client.get(f"{API}/results/{made['id']}", params=query).json()["reproduce"]
    assert found["command"].startswith("inscape predict quartz.cif --temperature 10 ")
    assert "--isotope Si=28Si" in found["command"]
    assert "temperature=10.0" in found["python"]
    compile(found["python"], "example", "exec")


def test_every_road_is_that_of_the_library():
    """With the weights that ship: made by the better road, and looked at by the other."""
    rough, roads = {"de": 2.0, "dq": 1.0}, ("auto", "code")
    with serving(shipped_model()) as client:
        answer = client.post(f"{API}/predict", json={"structure": structure(), **rough}).json()
        other = client.get(f"{API}/results/{answer['id']}", params={"road": "code"}).json()
        library = [inscape.predict(parse_structure(QUARTZ), road=road, **rough) for road in roads]
    for found, road, expected in zip((answer, other), roads, library, strict=True):
        assert same(found, expected.dataset, "dos", "powder")
        assert found["summary"]["engine"] == expected.dataset.attrs["engine"]
        assert found["settings"]["road"] == road
        assert len(found["notes"]) == 1
    assert "--road" not in answer["reproduce"]["command"]
    assert "--road code" in other["reproduce"]["command"]
    assert "road='code'" in other["reproduce"]["python"]
    assert answer["notes"] != other["notes"]


def test_a_result_outlives_the_service(model, tmp_path):
    store = tmp_path / "store.sqlite"
    with serving(model, store) as client:
        before = client.post(f"{API}/predict", json={"structure": structure(), **SMALL}).json()
    with serving(model, store) as client:
        after = client.get(f"{API}/results/{before['id']}").json()
    assert after == before


def test_the_oldest_predictions_are_forgotten(tmp_path):
    from inscape.web.store import Store

    store = Store(tmp_path / "store.sqlite", keep=2)
    kept = [store.add("simulation", {}, b"x").id]
    many = [store.add("prediction", {}).id for _ in range(4)]
    store._cleaned = -1e9
    store.add("prediction", {})
    assert [store.get(name) is not None for name in (*kept, *many)] == [True, False, False, False, True]
    store.close()


def test_requests_at_one_time_are_one_batch(model, monkeypatch):
    sizes = []
    real = type(model).__call__

    def slow(self, crystals, *args, **options):
        sizes.append(len(crystals))
        return real(self, crystals, *args, **options)

    monkeypatch.setattr(type(model), "__call__", slow)
    with serving(model) as client, ThreadPoolExecutor(8) as pool:
        request = {"structure": structure(), "kinds": ["dos"], **SMALL}
        answers = list(pool.map(lambda _: client.post(f"{API}/predict", json=request), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(sizes) == 16
    assert len(sizes) < 16


def test_one_structure_does_not_spoil_the_others(client, model, monkeypatch):
    real = type(model).__call__

    def picky(self, crystals, *args, **options):
        if any(c.formula == "Cu" for c in crystals):
            raise ValueError("copper")
        return real(self, crystals, *args, **options)

    monkeypatch.setattr(type(model), "__call__", picky)
    structures = [structure(), structure(COPPER, name="copper"), structure("nonsense", name="bad"), structure()]
    answer = client.post(f"{API}/predict/many", json={"structures": structures, "kinds": ["dos"], **SMALL}).json()
    assert [result["name"] for result in answer["results"]] == ["quartz.cif"] * 2
    assert [failure["name"] for failure in answer["failures"]] == ["copper", "bad"]


def test_a_cut_is_that_of_the_library(client, made, predict):
    from inscape.spectra import cut

    query = {"of": "powder", "axis": "q", "low": 2.2, "high": 4.7}
    found = client.get(f"{API}/results/{made['id']}/cut", params=query).json()
    dataset = predict(**SMALL)
    expected = cut(dataset["powder"], "q", 2.2, 4.7, edges=dataset["q_edges"].values)
    np.testing.assert_allclose(numbers(found["variable"]["values"]), expected.values, rtol=1e-6)


def test_files_hold_the_same(client, made, predict, tmp_path):
    from inscape.measured import read

    dataset = predict(**SMALL, temperature=20.0)
    base = f"{API}/results/{made['id']}/files"
    answer = client.get(f"{base}/nc", params={"temperature": 20})
    assert answer.headers["content-disposition"] == 'attachment; filename="quartz.nc"'
    found = xr.load_dataset(BytesIO(answer.content), engine="h5netcdf")
    for name in dataset.data_vars:
        np.testing.assert_array_equal(found[name].values, dataset[name].values)
    assert found.attrs["temperature_K"] == 20
    for form in ("csv", "nxspe"):
        place = tmp_path / f"a.{form}"
        place.write_bytes(client.get(f"{base}/{form}", params={"temperature": 20, "ei": 150}).content)
        assert read(place).attrs["kind"] == "powder map"
    assert client.get(f"{base}/png").content.startswith(b"\x89PNG")
    assert b"<svg" in client.get(f"{base}/svg").content
    crystal = parse_structure(client.get(f"{base}/cif").text)
    assert (crystal.formula, crystal.n_atoms) == ("SiO2", 9)


def test_two_results_are_compared(client, made):
    other = client.post(f"{API}/predict", json={"structure": structure(), **SMALL, "temperature": 5}).json()["id"]
    found = client.post(f"{API}/compare", json={"reference": made["id"], "other": other}).json()
    assert found["figures"]["dos"]["w1_meV"] == pytest.approx(0, abs=1e-9)
    assert found["figures"]["powder"]["cut_cosine"] == pytest.approx(1)


def test_a_measurement_is_read_and_theory_laid_over_it(client, made, predict, tmp_path):
    from inscape.measured import write
    from inscape.measured.formats.netcdf import of_result

    measured = of_result(Prediction(predict(**SMALL)))
    file = write(measured, tmp_path / "m.csv")
    binary = {"content-type": "application/octet-stream"}
    sent = client.post(f"{API}/measurements", params={"name": "m.csv"}, content=file.read_bytes(), headers=binary)
    assert sent.status_code == 200, sent.text
    name = sent.json()["id"]
    values = numbers(sent.json()["variables"]["intensity"]["values"])
    np.testing.assert_allclose(values, measured["intensity"].values, rtol=1e-5)
    assert client.get(f"{API}/measurements/{name}").json() == sent.json()
    request = {"result": made["id"], "multiphonon": False, "background": -1}
    found = client.post(f"{API}/measurements/{name}/fit", json=request).json()
    assert found["fit"]["scale"] == pytest.approx(1, abs=1e-4)
    clean = client.post(f"{API}/measurements/{name}/denoise", json={"dose": 1e5}).json()
    assert {"clean", "uncertainty", "filled"} <= set(clean["variables"])
    best = client.post(f"{API}/measurements/{name}/search", json={"top": 3}).json()
    assert len(best["matches"]) == 3


def test_a_damaged_measurement_is_refused(client):
    binary = {"content-type": "application/octet-stream"}
    answer = client.post(f"{API}/measurements?name=x.h5", content=b"\x89HDF\r\n\x1a\n" + b"z" * 99, headers=binary)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("x.h5: ")


def test_known_crystals_are_found_and_mapped(client):
    found = client.get(f"{API}/library", params={"formula": "O2Si"}).json()
    assert {crystal["formula"] for crystal in found} == {"SiO2"}
    one = client.get(f"{API}/library/{found[0]['id']}").json()
    dos = one["variables"]["dos"]
    widths = np.diff(numbers(one["axes"]["energy_dos"]["edges"]))
    assert numbers(dos["values"]) @ widths == pytest.approx(1, abs=2e-3)
    map_ = client.get(f"{API}/codes/dos/map", params={"arrays": "base64"}).json()
    assert len(map_["ids"]) == len(numbers(map_["x"])) == len(numbers(map_["properties"]["mean energy"]["values"]))
    assert "test" not in {crystal["split"] for crystal in found}
    for kind, name in (("dos", "dos"), ("powder", "density")):
        decoded = client.post(f"{API}/decode", json={"kind": kind, "code": one["codes"][kind]}).json()
        assert np.isfinite(numbers(decoded["variables"][name]["values"])).all()
    limits = client.get(f"{API}/codes/dos").json()
    assert all(
        low <= mean <= high for low, mean, high in zip(limits["low"], limits["mean"], limits["high"], strict=True)
    )


def test_examples_are_those_of_the_repository_and_can_be_read(client):
    from pathlib import Path

    folder = Path(__file__).parents[1] / "examples"
    found = {example["id"]: example for example in client.get(f"{API}/examples").json()}
    assert len(found) >= 12
    for file in [*folder.glob("*.cif"), *folder.glob("*.vasp")]:
        assert found[file.stem]["text"] == file.read_text()


# ---- refusals


BAD_STRUCTURES = {
    "empty": "",
    "nonsense": "once upon a time",
    "no atoms": "data_x\n_cell_length_a 4\n",
    "partial": QUARTZ.replace("_atom_site_fract_z\n", "_atom_site_fract_z\n_atom_site_occupancy\n")
    .replace("0.6667\nO1", "0.6667 0.5\nO1")
    .replace("0.7858", "0.7858 1"),
    "unknown element": QUARTZ.replace("Si1 Si", "Xx1 Xx"),
    "too close": QUARTZ.replace("0.4135 0.2669 0.7858", "0.4697 0.001 0.6667"),
    "flat": QUARTZ.replace("_cell_angle_gamma 120", "_cell_angle_gamma 0"),
    "huge": QUARTZ.replace("4.916", "4916"),
    "poscar without symbols": COPPER.replace("Cu\n", "").replace("copper", "no symbols here"),
    "poscar with a path": COPPER.replace("copper", "/etc/passwd").replace("Cu\n", ""),
}


@pytest.mark.parametrize("name", BAD_STRUCTURES)
def test_bad_structures_are_refused_in_the_words_of_the_command_line(client, tmp_path, name):
    text = BAD_STRUCTURES[name]
    answer = client.post(f"{API}/predict", json={"structure": structure(text)})
    assert answer.status_code == 422
    problem = answer.json()
    assert set(problem) == {"error", "message", "hint"}
    assert problem["error"] == "StructureError"
    assert problem["hint"]
    assert problem["hint"] in problem["message"]
    if text.startswith("data_"):
        file = tmp_path / "quartz.cif"
        file.write_text(text)
        with pytest.raises(InscapeError) as refusal:
            read_structure(file)
        assert problem["message"] == str(refusal.value).replace(str(file), "quartz.cif")


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"temperature": -1}, "GridError", "temperature is -1.0 K"),
        ({"plane": "1 0 0; 2 0 0"}, "GridError", "plane"),
        ({"plane": "nowhere"}, "GridError", "expected HK0"),
        ({"qmax": 20, "road": "code"}, "DataError", "the powder model reaches 10"),
        ({"instrument": "NOSUCH"}, "InstrumentError", "no instrument is called"),
        ({"instrument": "ARCS"}, "InstrumentError", "give its incident energy"),
        ({"instrument": "ARCS", "ei": 60, "kinds": ["dos"]}, "DataError", "add the kind powder"),
        ({"isotopes": ["H"]}, "DataError", "isotope is 'H'"),
        ({"isotopes": ["Si=2"]}, "StructureError", "isotope"),
        ({"isotopes": ["O=18"], "road": "code"}, "StructureError", "force constants"),
        ({"temperature": "hot"}, "RequestError", "body.temperature"),
        ({"kinds": []}, "RequestError", "body.kinds"),
        ({"kinds": ["spam"]}, "RequestError", "body.kinds.0"),
        ({"de": 1e-9}, "RequestError", "body.de"),
        ({"spam": 1}, "RequestError", "body.spam"),
        ({"road": "detour"}, "RequestError", "body.road"),
    ],
)
def test_bad_settings_are_refused(client, settings, error, words):
    answer = client.post(f"{API}/predict", json={"structure": structure(), **settings})
    assert answer.status_code == 422
    assert answer.json()["error"] == error
    assert words in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", f"{API}/nowhere", 404),
        ("DELETE", f"{API}/health", 405),
        ("GET", f"{API}/results/unknown", 404),
        ("GET", f"{API}/results/..%2F..%2Fetc%2Fpasswd", 404),
        ("GET", f"{API}/results/unknown/files/exe", 422),
        ("GET", f"{API}/jobs/unknown", 404),
        ("GET", f"{API}/measurements/unknown", 404),
        ("GET", f"{API}/library/mp-0", 404),
        ("GET", f"{API}/library?formula=..", 422),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/%2e%2e/app.py", 404),
        ("GET", "/docs/..%2fapp.py", 404),
    ],
)
def test_errors_have_one_shape(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "message", "hint"}


def test_bodies_of_other_types_and_lengths_are_refused(client):
    url = f"{API}/predict"
    assert client.post(url, content="{}", headers={"content-type": "text/plain"}).status_code == 415
    assert client.post(url, data={"structure": "x"}).status_code == 415
    assert client.post(url, content="{", headers={"content-type": "application/json"}).status_code == 422
    long = json.dumps({"structure": structure("x" * 3_000_000)})
    assert client.post(url, content=long, headers={"content-type": "application/json"}).status_code == 413
    pieces = (b"x" * 100_000 for _ in range(40))
    assert client.post(url, content=pieces, headers={"content-type": "application/json"}).status_code == 413
    large = {"structure": structure(QUARTZ + "#" * 1_000_000)}
    answer = client.post(url, json=large)
    assert (answer.status_code, answer.json()["error"]) == (413, "TooLarge")


def test_too_many_atoms_are_refused(model):
    with serving(model, max_atoms=8) as client:
        answer = client.post(f"{API}/predict", json={"structure": structure()})
    assert answer.status_code == 422
    assert "has 9 atoms, at most 8" in answer.json()["message"]


def test_a_fault_says_nothing_of_the_inside(client, model, monkeypatch):
    from inscape.web.endpoints import results

    def broken(*args):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(results, "look_at", broken)
    answer = client.get(f"{API}/results/x")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error", "message", "hint"}
    assert "secret" not in answer.text


def test_mutated_structures_are_predicted_or_refused(client):
    rng = random.Random(1)
    statuses = []
    for _ in range(60):
        request = {"structure": structure(mutated(rng)), "kinds": ["dos"], **SMALL}
        answer = client.post(f"{API}/predict", json=request)
        statuses.append(answer.status_code)
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 422:
            assert answer.json()["error"] == "StructureError"
            assert answer.json()["message"].startswith("quartz.cif: ")
    assert {200, 422} == set(statuses)


# ---- the guard


def test_browsers_are_told_to_load_nothing_from_elsewhere(client):
    first, second = (client.get("/docs") for _ in range(2))
    policy = first.headers["content-security-policy"]
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self' 'nonce-" in policy
    assert f'nonce="{nonce}"' in first.text
    assert nonce not in second.text
    assert "http://" not in first.text
    assert "https://" not in first.text
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["x-frame-options"] == "DENY"
    assert client.get(f"{API}/health").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:80", 200), ("localhost", 200), ("[::1]:8765", 200), ("evil.example", 421), ("spectra.org:80", 200)],
)
def test_only_known_names_of_the_service_are_answered(model, host, status):
    with serving(model, hosts=("spectra.org",)) as client:
        assert client.get(f"{API}/health", headers={"host": host}).status_code == status


def test_a_token_is_needed_where_there_is_one(model):
    with serving(model, token="open sesame") as client:
        assert client.get(f"{API}/health").status_code == 200
        refused = client.get(f"{API}/about")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer wrong", "Bearer ", "open sesame é".encode()):
            assert client.get(f"{API}/about", headers={"authorization": wrong}).status_code == 401
        right = client.get(f"{API}/about", headers={"authorization": "Bearer open sesame"})
        assert right.status_code == 200
        assert client.get(f"{API}/about?token=open+sesame").status_code == 401
        opened = client.get("/?token=open+sesame", follow_redirects=False)
        assert opened.status_code == 303
        assert "HttpOnly" in opened.headers["set-cookie"]
        assert "SameSite=strict" in opened.headers["set-cookie"]
        assert client.get(f"{API}/about").status_code == 200


def test_clients_that_ask_too_often_wait(model):
    with serving(model, rate=0.01, burst=3) as client:
        statuses = [client.get(f"{API}/health").status_code for _ in range(5)]
        last = client.get(f"{API}/health")
    assert statuses == [200, 200, 200, 429, 429]
    assert int(last.headers["retry-after"]) > 1


def test_the_log_holds_no_contents(client, caplog):
    with caplog.at_level("INFO", logger="inscape.web"):
        client.post(f"{API}/predict", json={"structure": structure("secret contents", name="secret.cif")})
    assert "POST /api/v1/predict 422" in caplog.text
    assert "secret" not in caplog.text


def test_every_endpoint_is_described(client):
    from pathlib import Path

    page = (Path(__file__).parents[1] / "docs" / "reference" / "http-api.md").read_text()
    for path, operations in client.get(f"{API}/openapi.json").json()["paths"].items():
        words = (
            path.removeprefix(f"{API}/")
            .replace("{identifier}", "ID")
            .replace("{form}", "FORMAT")
            .replace("{kind}", "KIND")
        )
        for method, operation in operations.items():
            assert f"{method.upper()} {words}`" in page, f"{method} {path}"
            assert {"401", "422", "429"} <= set(operation["responses"]), path


def test_single_numbers_are_left_to_the_summary():
    dataset = xr.Dataset({"dos": ("energy", [1.0]), "mean_energy": 2.0}, {"energy": [0.5]})
    assert set(dataset_view(dataset, "lists")["variables"]) == {"dos"}
