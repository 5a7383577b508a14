"""For everybody: without a mouse, on a phone, with a screen reader, light and dark."""

import pytest

from .screen import expect, open_method, settled, tab_to

Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe


def test_everything_is_done_without_a_mouse(open_page):
    page = open_page()
    tab_to(page, "[data-name='cells.jpg']")
    page.keyboard.press("Enter")
    expect(page.locator("#gallery-title")).to_be_focused()
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    tab_to(page, ".card")
    page.keyboard.press("Enter")
    settled(page, "segment", " in ")
    tab_to(page, "#result")
    page.keyboard.press("+")
    expect(page.locator("#result.is-zoomed")).to_have_count(1)
    page.keyboard.press("0")
    tab_to(page, "input[name=mode]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#result")).to_be_focused()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#result svg circle.wanted")).to_have_count(1)
    settled(page, "by prompt")
    page.keyboard.press("Backspace")
    expect(page.locator("#result svg circle")).to_have_count(0)
    settled(page, " by watershed")
    # a box: two corners
    tab_to(page, "input[name=mode]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Tab")
    for key in ("Enter", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#result svg rect")).to_have_count(1)
    settled(page, "segment")
    tab_to(page, "#method")
    page.keyboard.type("slic")
    settled(page, "segment")
    tab_to(page, "#params-n_segments-slider")
    value = page.input_value("#params-n_segments")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#params-n_segments") != value
    page.keyboard.press("Escape")
    expect(page.locator("#gallery-title")).to_be_focused()


def opened(page, photo) -> None:
    """Show everything there is of the editor."""
    page.set_input_files("#file", photo)
    open_method(page, "watershed")
    for summary in page.locator("details:visible > summary").all():
        summary.click()
    page.click("#add-label")
    settled(page, "segment")


def test_a_phone_needs_no_scrolling_sideways(open_page, photos):
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)

    def overhang() -> int:
        return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert overhang() == 0
    # more than fit beside each other
    page.set_input_files("#file", photos * 6)
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    assert overhang() == 0
    opened(page, photos[1])
    assert overhang() == 0
    # one column, and the picture stays in sight while a slider far below is moved
    page.get_by_label("min_area, slider").scroll_into_view_if_needed()
    box = page.locator("#result").bounding_box()
    assert box["y"] >= -1
    assert box["width"] >= 359


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(open_page, photos, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce")

    def violations() -> list[str]:
        found = Axe().run(page).response["violations"]
        return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]

    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert violations() == []
    page.set_input_files("#file", photos)
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    assert violations() == []
    opened(page, photos[0])
    assert violations() == []


def test_the_theme_is_the_systems_until_somebody_chooses(open_page):
    page = open_page(color_scheme="dark")
    dark = page.screenshot()
    page.get_by_role("button", name="Dark colours").click()
    assert page.screenshot() != dark
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
