"""Checks of the report page that several tests share. The checks use the chart and the table of candidates with mouse and keys."""

POINT = """(() => { const chart = charts.find((c) => c.canvas.closest('#candidates')), sets = chart.data.datasets, p = sets.filter((s) => s.type === 'scatter').pop().data[%d];
  chart.canvas.scrollIntoView({block: 'center', behavior: 'instant'}); const box = chart.canvas.getBoundingClientRect();
  return [box.left + chart.scales.x.getPixelForValue(p.x), box.top + chart.scales.y.getPixelForValue(p.y), '(' + p.c.arch.join(', ') + ')']; })()"""
PIXELS = """[...document.querySelectorAll('canvas')].map((c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let i = 0; i < d.length; i += 4) if (d[i + 3]) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return seen.size; })"""


def first_row(page, section):
    return page.run(f"[...document.querySelectorAll('#{section} details tbody tr:first-child td')].map((c) => c.textContent)")


def check_candidates(page):
    """Checks that the first row is the best candidate, that a click on a heading sorts the rows, that points of the chart react to hover and click,
    and that arrow keys and Enter select points."""
    data = page.run("(() => { const r = report.runs[0], b = r.best; return {arch: '(' + b.arch.join(', ') + ')', top1: (100 * b.top1).toFixed(2)}; })()")
    row = first_row(page, "candidates")
    assert row[0] == "1" and row[1] == data["arch"] and row[2] == data["top1"], (row, data)
    page.run("[...document.querySelectorAll('#candidates th button')].find((b) => b.textContent.startsWith('top-1')).click()")
    assert page.run("document.querySelector('#candidates th[aria-sort]').getAttribute('aria-sort')") == "descending"
    shown = [float(v) for v in page.run("[...document.querySelectorAll('#candidates details tbody tr')].map((r) => r.children[2].textContent)")]
    assert shown == sorted(shown, reverse=True) and len(shown) == 25
    x, y, arch = page.run(POINT % 7)
    page.mouse("mouseMoved", x, y)
    tip = page.run("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent")
    assert tip.startswith("(") and "top-1" in tip, tip
    page.click(x, y)
    pinned = page.run("document.querySelector('#pinned .path').textContent")
    assert pinned == tip.split("\n")[0], (pinned, tip, arch)
    assert page.run("document.querySelectorAll('#pinned .net tbody tr').length") == page.run("report.runs[0].network.layers.length")
    page.run("charts.find((c) => c.canvas.closest('#candidates')).canvas.focus()")
    walked = []
    for key in ("ArrowRight", "ArrowRight", "Enter", "ArrowRight", "Enter"):
        page.key(key)
        if key == "Enter":
            walked.append(page.run("document.querySelector('#pinned .path').textContent"))
    assert len(set(walked)) == 2, (walked, pinned)
