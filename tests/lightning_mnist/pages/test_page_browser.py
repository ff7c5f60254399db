"""The page in a real browser: it reads, answers and trains as it says it does."""

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from lightning_mnist.data import sources
from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.module import DigitClassifier
from lightning_mnist.own_images import find_picture
from lightning_mnist.page.build import _packed, build
from lightning_mnist.page.weights import PageNetwork, inputs_of
from lightning_mnist.trained import Deployed, Trained
from tests.conftest import embedded_digits
from tests.support.chromium import Chromium, chromium, installed

pytestmark = pytest.mark.skipif(installed() is None, reason="needs Chromium")


def a_model(**flags: Any) -> Trained:
    """A network with random weights and statistics."""
    torch.manual_seed(0)
    module = DigitClassifier(**{"hidden": [16, 12], **flags})
    for name, values in module.state_dict().items():
        if values.is_floating_point() and "network" in name:
            values.copy_(torch.rand_like(values) - (0.5 if "var" not in name else -0.1))
    module.preprocessing.fit(torch.randint(0, 256, (50, SIDE, SIDE), dtype=torch.uint8))
    model = Deployed(module.preprocessing, module.network).eval().requires_grad_(False)
    return Trained(Path("runs/random/checkpoints/best.ckpt"), model, None, {}, {}, 0, None)


@pytest.fixture(scope="module")
def digits() -> RawDigits:
    return embedded_digits()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as tab:
        yield tab


@pytest.fixture(scope="module")
def file(digits: RawDigits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of one model."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(build([a_model()], digits).html)
    return path


@pytest.fixture
def page(browser: Chromium, file: Path) -> Iterator[Chromium]:
    """A tab with that page; it must not have complained, nor asked for anything else."""
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(file)
    yield browser
    assert browser.complaints == []
    assert {url for url in browser.requests if not url.startswith("blob:")} == {file.as_uri()}


def array(values: list[Any]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def unpacked(network: PageNetwork) -> str:
    """An expression for a network, as the page holds it."""
    body = base64.b64encode(network.body).decode()
    bytes_ = f"Uint8Array.from(atob('{body}'), (c) => c.charCodeAt(0))"
    return f"unpackNetwork({json.dumps(network.head)}, {bytes_})"


NETWORKS: list[dict[str, Any]] = [
    {"activation": "gelu", "batch_norm": False}, {"activation": "silu", "standardize": "image"},
    {"activation": "elu", "standardize": "dataset", "invert": True}, {"activation": "tanh"},
    {"activation": "sigmoid", "batch_norm": "keras"}, {"hidden": []}, {"invert": True},
]  # fmt: skip


@pytest.mark.parametrize("steps", [None, 127, 5])
@pytest.mark.parametrize("flags", NETWORKS, ids=str)
def test_the_page_answers_as_the_model(
    flags: dict[str, Any], steps: int | None, page: Chromium, digits: RawDigits
) -> None:
    model = a_model(**flags)
    network = PageNetwork.of(
        model, steps, inputs_of(model, torch.from_numpy(digits.train_images[:200]))
    )
    said = page.run(
        f"(() => {{ const network = {unpacked(network)};"
        "return page.images.slice(0, 50).map((image) => Array.from(logitsOf(network, image))); })()"
    )
    images = torch.from_numpy(digits.test_images[:50])
    expected = (model.logits(images) if steps is None else network.logits(model, images)).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(array(said), expected, rtol=0, atol=1e-5 * scale)


def drawing(seed: int) -> list[list[list[float]]]:
    """One to three smooth strokes, as a hand draws them, some of them short."""
    rng = np.random.default_rng(seed)
    strokes = []
    centre, reach = rng.uniform(110, 170, 2), rng.uniform(30, 85)
    for _ in range(rng.integers(1, 4)):
        a, b, c, d = centre + rng.uniform(-reach, reach, (4, 2))
        t = np.linspace(0, 1, 24)[:, None]
        curve = a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t**2 * (1 - t) + d * t**3
        strokes.append(np.clip(curve, 15, 265).round(1).tolist())
    return strokes


def drawn(page: Chromium, strokes: list[list[list[float]]]) -> NDArray[np.uint8]:
    """Grey levels of the canvas with these strokes."""
    page.run(f"page.pad.erase(); page.pad.strokes = {json.dumps(strokes)}; page.pad.draw()")
    text = page.run("btoa(Array.from(page.pad.grey, (x) => String.fromCharCode(x)).join(''))")
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(280, 280)


SEEN = """(() => {
    const seen = seenIn(page.pad.grey, 280, 280);
    return seen && Array.from(seen.pixels);
})()"""


def differences(page: Chromium, seeds: range) -> dict[int, int]:
    """The drawings whose pixels differ between page and `predict`, and by how many levels."""
    found = {}
    for seed in seeds:
        grey = drawn(page, drawing(seed))
        expected = find_picture(grey)
        said = page.run(SEEN)
        if expected is None or said is None:
            gap = 0 if expected is None and said is None else 255
        else:
            gap = int(np.abs(array(said).reshape(SIDE, SIDE) - expected.pixels).max())
        if gap > 1:
            found[seed] = gap
    return found


def test_the_page_sees_what_predict_sees(page: Chromium) -> None:
    assert differences(page, range(16)) == {}


@pytest.mark.slow
def test_the_page_sees_what_predict_sees_in_300_drawings(page: Chromium) -> None:
    assert differences(page, range(300)) == {}


@pytest.mark.parametrize(
    ("control", "value", "view"),
    [
        ("divided", "once", lambda x: x / 255),
        ("divided", "twice", lambda x: x / 255 / 255),
        ("divided", "never", lambda x: x.float()),
        ("invert", True, lambda x: 1 - x / 255),
        ("shift", 3, lambda x: F.pad(x / 255, (3, -3, 3, -3))),
    ],
)
def test_the_thousand_are_answered_as_the_model_does(
    control: str, value: object, view: Any, page: Chromium, digits: RawDigits
) -> None:
    page.wait_for("find('thousand').textContent")
    page.run(f"""(() => {{
        const control = find('wrong').elements['{control}'], value = {json.dumps(value)};
        if (value === true) control.checked = true; else control.value = value;
        find('thousand').textContent = '';
        showWrongs();
    }})()""")
    page.wait_for("find('thousand').textContent")
    images = torch.from_numpy(digits.test_images)
    network = a_model().model.network
    answers = network(view(images).flatten(1)).argmax(dim=1)
    counts = page.run("[...find('counters').querySelectorAll('.value')].map((x) => +x.textContent)")
    expected = torch.bincount(answers, minlength=10).numpy()
    assert np.abs(array(counts) - expected).sum() <= 2  # of float32, where two logits are alike
    right = int((answers.numpy() == digits.test_labels).sum())
    said = page.run("find('thousand').textContent")
    assert abs(int(said.split()[0]) - right) <= 1


TRAIN = """(() => {{
    const form = find('recipe');
    form.feed.value = '{feed}';
    form.optimizer.value = '{optimizer}';
    form.rate.value = '{rate}';
    form.epochs.value = '10';
    form.requestSubmit();
}})()"""


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ("x/255", None),
        ("255-x", "in training, the pixels were inverted and not scaled"),
        ("x", "in training, the pixels were not scaled"),
    ],
)
def test_the_training_tab_collapses_just_where_it_should(
    feed: str, words: str | None, page: Chromium
) -> None:
    page.run("find('tab-train').click()")
    page.run(TRAIN.format(feed=feed, optimizer="SGD", rate="0.1"))
    page.wait_for("page.report && page.report.epoch === page.report.epochs")
    report = page.run("page.report")
    said = page.run("find('guard').textContent")
    assert sum(report["predicted"]) == report["count"] == 540
    if words is None:
        assert said == ""
        assert report["right"] / report["count"] > 0.8
        assert min(report["predicted"]) > 0
        return
    assert max(report["predicted"]) > 0.95 * report["count"]
    assert words in said
    assert "of the predictions are class" in said
    assert page.run("document.querySelectorAll('.unit.dead').length") > 64


def test_one_draws_with_the_pointer_and_with_the_keyboard(page: Chromium) -> None:
    box = page.run("(({ x, y, width }) => [x, y, width])(find('pad').getBoundingClientRect())")
    for kind, share in (("mousePressed", 0.3), ("mouseMoved", 0.5), ("mouseReleased", 0.7)):
        place = {"x": box[0] + box[2] / 2, "y": box[1] + box[2] * share}
        page.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)
    page.wait_for("find('answer').textContent.includes('%')")
    assert page.run("page.pad.strokes.length") == 1
    page.run("find('undo').click()")
    page.wait_for("find('answer').textContent === 'Nothing drawn yet.'")
    page.run("find('pad').focus()")
    for key in [" ", *["ArrowDown"] * 20, " ", "ArrowRight"]:
        page.ask("Input.dispatchKeyEvent", type="keyDown", key=key)
        page.ask("Input.dispatchKeyEvent", type="keyUp", key=key)
    assert page.run("page.pad.strokes.map((stroke) => stroke.length)") == [21]
    page.wait_for("find('answer').textContent.includes('%')")
    page.ask("Input.dispatchKeyEvent", type="keyDown", key="Delete")
    assert page.run("page.pad.isBlank")


@pytest.mark.parametrize("ink", ["#000", "#fff"])
def test_a_loaded_picture_is_read_in_either_polarity(ink: str, page: Chromium) -> None:
    paper = "#fff" if ink == "#000" else "#000"
    page.run(f"""(async () => {{
        const canvas = document.createElement('canvas'), draw = canvas.getContext('2d');
        canvas.width = canvas.height = 400;
        Object.assign(draw, {{ fillStyle: '{paper}' }});
        draw.fillRect(0, 0, 400, 400);
        draw.fillStyle = '{ink}';
        draw.fillRect(180, 80, 50, 240);
        const blob = await new Promise((done) => canvas.toBlob(done));
        await showFile(new File([blob], 'one.png'));
    }})()""")
    page.wait_for("find('answer').textContent.includes('%')")
    pixels = np.array(page.run(SEEN)).reshape(SIDE, SIDE)
    assert pixels.max() == 255
    rows, columns = np.nonzero(pixels > 128)
    assert np.ptp(rows) >= 18
    assert np.ptp(columns) <= 6
    page.run("showFile(new File(['no picture'], 'none.png'))")
    page.wait_for("find('answer').textContent.includes('no picture')")


def test_everything_has_a_name_and_fits_a_phone(page: Chromium, file: Path) -> None:
    page.open(file, width=390, height=800)
    assert page.run("document.documentElement.scrollWidth") <= 390
    tree = page.ask("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "tab", "checkbox", "radio", "slider", "combobox", "image", "tabpanel"}
    seen = [node for node in tree if node.get("role", {}).get("value") in roles]
    assert len(seen) > 15
    assert [n for n in seen if not n.get("name", {}).get("value")] == []
    page.run("find('tab-draw').focus()")
    page.ask("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    assert page.run("document.activeElement.id") == "tab-train"
    assert page.run("find('train').hidden") is False


def test_two_models_are_shown_where_they_disagree(
    browser: Chromium, digits: RawDigits, tmp_path: Path
) -> None:
    first, second = a_model(), a_model(hidden=[], batch_norm=False)
    (tmp_path / "two.html").write_text(build([first, second], digits).html)
    browser.complaints.clear()
    browser.open(tmp_path / "two.html")
    browser.run("find('tab-compare').click()")
    browser.wait_for("find('apart').textContent")
    images = torch.from_numpy(digits.test_images)
    a, b = (model.logits(images).argmax(dim=1) for model in (first, second))
    said = browser.run("find('apart').textContent").split()
    assert abs(int(said[1]) - int((a != b).sum())) <= 1
    shown = browser.run("document.querySelectorAll('#gallery li').length")
    assert shown == min(60, int(said[1]))
    assert browser.complaints == []


def test_the_policy_lets_nothing_in(browser: Chromium, file: Path) -> None:
    browser.open(file)
    assert browser.run("find('tab-compare').hidden")
    browser.run("""(() => {
        const script = document.createElement('script');
        script.textContent = 'page.broken = true';
        document.body.append(script);
        const image = document.createElement('img');
        image.src = 'https://example.com/x.png';
        document.body.append(image);
    })()""")
    failed = browser.run("fetch('https://example.com').then(() => false, () => true)")
    assert failed
    assert browser.run("page.broken") is None
    assert sum("Content Security Policy" in text for text in browser.complaints) >= 2


@pytest.mark.slow
def test_the_page_answers_as_the_model_on_all_of_mnist(page: Chromium, mnist_root: Path) -> None:
    images = sources.load("mnist", mnist_root).test_images
    model = a_model(hidden=[512, 512])
    network = PageNetwork.of(model, None, [])
    page.run(f"page.head = {json.dumps(network.head)}")
    for name, content in (("body", network.body), ("all", images.tobytes())):
        text = base64.b64encode(content).decode()
        page.run(f"page.{name} = Uint8Array.from(atob('{text}'), (c) => c.charCodeAt(0)); 0")
    said = page.run("""(() => {
        const network = unpackNetwork(page.head, page.body), size = SIDE * SIDE;
        const image = (at) => page.all.subarray(at * size, (at + 1) * size);
        return Array.from({ length: page.all.length / size },
            (_, at) => Array.from(logitsOf(network, image(at))));
    })()""")
    expected = model.logits(torch.from_numpy(images)).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(array(said), expected, rtol=0, atol=1e-5 * scale)


def test_what_is_packed_is_unpacked(page: Chromium) -> None:
    for size in range(12):
        content = np.random.default_rng(size).bytes(size * 37)
        said = page.run(f"inflate({json.dumps(_packed(content))}).then((x) => Array.from(x))")
        assert bytes(said) == content


def saliency(model: Trained, image: torch.Tensor) -> NDArray[np.float64]:
    """The gradient of the largest logit with respect to grey levels, by autograd in float64."""
    preprocessing: Any = model.model.preprocessing
    levels = image.double().flatten().requires_grad_()
    values = levels / 255
    values = 1 - values if preprocessing.invert else values
    if preprocessing.standardize == "image":
        deviation = (values.var(unbiased=False) + 1e-5).sqrt()
        values = (values - values.mean()) / deviation
    elif preprocessing.standardize == "dataset":
        values = (values - preprocessing.mean.double()) / preprocessing.std.double()
    network = copy.deepcopy(model.model.network).double()
    network(values[None])[0].max().backward()
    assert levels.grad is not None
    return levels.grad.numpy()


@pytest.mark.parametrize("flags", NETWORKS, ids=str)
def test_the_saliency_is_the_gradient(
    flags: dict[str, Any], page: Chromium, digits: RawDigits
) -> None:
    model = a_model(**flags)
    said = page.run(f"""(() => {{
        const network = {unpacked(PageNetwork.of(model, None, []))};
        return page.images.slice(0, 5).map((image) => {{
            const layers = layersOf(network, image, 255), digit = largest(layers.at(-1).values);
            return Array.from(saliencyOf(network, image, 255, layers, digit));
        }});
    }})()""")
    expected = np.stack(
        [saliency(model, image) for image in torch.from_numpy(digits.test_images[:5])]
    )
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(array(said), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_one_looks_inside(page: Chromium, digits: RawDigits) -> None:
    page.wait_for("page.inside && find('unit-said').textContent")
    assert page.run("find('why-said').textContent") == "Nothing drawn yet."
    page.run("page.pad.strokes = [[[80, 60], [200, 60], [140, 220]]]; page.pad.changed()")
    page.wait_for("find('why-said').textContent.includes('More ink')")
    labels = page.run("[...find('layers').children].map((c) => c.getAttribute('aria-label'))")
    assert [label.split(":")[0] for label in labels] == ["Layer 1", "Layer 2"]
    assert [label.split(" of ")[1] for label in labels] == ["16 units are on", "12 units are on"]
    on = page.run(
        "page.inside.seen.layers.slice(0, 2).map((l) => l.values.filter((x) => x > 0).length)"
    )
    assert [int(label.split()[2]) for label in labels] == on

    page.run("find('unit').focus()")
    page.ask("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight", windowsVirtualKeyCode=39)
    assert page.run("find('unit').getAttribute('aria-valuetext')") == "2 of 16"
    page.run("find('tiles').scrollIntoView({ block: 'center' })")
    box = page.run("(({ x, y, width }) => [x, y, width])(find('tiles').getBoundingClientRect())")
    side = box[2] / page.run("page.inside.across")
    place = {"x": box[0] + 3.5 * side, "y": box[1] + 1.5 * side}
    for kind in ("mousePressed", "mouseReleased"):
        page.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)
    unit = page.run("page.inside.across") + 3
    assert page.run("find('unit-number').textContent") == f"{unit + 1} of 16"

    model = a_model()
    images, truths = torch.from_numpy(digits.test_images), digits.test_labels
    first = list(model.model.network.children())[:3]
    values = torch.nn.Sequential(*first)(model.model.preprocessing(images))[:, unit].numpy()
    means = np.array([values[truths == digit].mean() for digit in range(10)])
    words = f"it answers most to a {means.argmax()}, least to a {means.argmin()}."
    assert words in page.run("find('unit-said').textContent")


def test_a_unit_looks_for_ink_where_digits_differ(page: Chromium, digits: RawDigits) -> None:
    page.wait_for("page.inside")
    said = page.run("Array.from(page.inside.lookedFor(5))")
    weights = PageNetwork.of(a_model(), None, []).layers[0].weights[5]
    deviations = digits.test_images.reshape(-1, SIDE * SIDE).std(axis=0)
    np.testing.assert_allclose(array(said), weights * deviations, rtol=1e-5, atol=1e-6)
