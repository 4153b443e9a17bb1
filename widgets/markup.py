"""HTML of the page's parts; every text is escaped here and nowhere else."""

from html import escape

from widgets.card_view import CardView, Leg, Sparkline
from widgets.drawing import gauge_svg, waterfall_svg
from widgets.tables import carry_html, record_html, runners_html
from widgets.views import MarketView, Notice, PageView, Progress

__all__ = ["below_html", "body_html", "gauge_html", "head_html", "masthead_html", "notices_html", "spark_html"]

_CAVEAT = (
    '<p class="hlp-caveat"><b>Uncalibrated.</b> The edge takes the fitted reversion at its word: it has not been '
    "checked against what such pairs really earned in this market’s past.</p>"
)


def masthead_html(view: PageView) -> str:
    """Return the title and the market badge."""
    return f'<header class="hlp-masthead"><h1>Top pair <span>right now</span></h1>{_market_html(view.market)}</header>'


def _market_html(market: MarketView) -> str:
    clock = f'<span class="hlp-clock">{escape(market.clock)}</span>' if market.clock else ""
    name = f'<span class="hlp-market-name">{escape(market.name)}</span>' if market.name else ""
    return (
        f'<p class="hlp-market hlp-market-{escape(market.kind)}"><span class="hlp-badge">'
        f'<span aria-hidden="true">{market.shape}</span> {escape(market.label)}</span>{name}{clock}</p>'
    )


def notices_html(view: PageView) -> str:
    """Return the fallback banner and the list of problems; empty when there is neither."""
    banner = ""
    if view.market.fallback is not None:
        banner = (
            '<section class="hlp-fallback" aria-label="Fallback market"><strong>'
            f"<span aria-hidden='true'>▲</span> Not the market you asked for: {escape(view.market.label)}</strong>"
            f"<p>{escape(view.market.fallback)}</p></section>"
        )
    items = "".join(_notice_html(notice) for notice in view.notices)
    return banner + (f'<ul class="hlp-notices" aria-label="Notices">{items}</ul>' if items else "")


def _notice_html(notice: Notice) -> str:
    shape = {"info": "○", "warning": "◆", "bad": "■"}[notice.kind]
    details = ""
    if notice.details:
        details = f"<details><summary>Details</summary><p>{escape(notice.details)}</p></details>"
    return (
        f'<li class="hlp-notice hlp-notice-{notice.kind}"><span class="hlp-shape" aria-hidden="true">{shape}</span>'
        f"<div><strong>{escape(notice.title)}.</strong> {escape(notice.text)}{details}</div></li>"
    )


def head_html(view: PageView) -> str:
    """Return the top of the card: which pair, which sides, what edge; or what is there instead of a pair."""
    headline = ""
    if view.card is None or view.card.role == "nearest":
        headline = f'<h2 class="hlp-headline">{escape(view.headline)}</h2>'
    if view.card is None:
        return (
            f'<section class="hlp-head hlp-head-bare">{headline}<p class="hlp-verdict">{escape(view.verdict)}</p>'
            f"{_progress_html(view.progress)}</section>"
        )
    verdict = "" if view.card.role == "runner" else f'<p class="hlp-verdict">{escape(view.verdict)}</p>'
    intro = f'<div class="hlp-intro">{headline}{verdict}</div>' if view.card.role == "nearest" else ""
    return (
        f'<section class="hlp-head" aria-labelledby="hlp-pair">{intro}{_eyebrow_html(view)}'
        f'<div class="hlp-title">{_pair_html(view.card)}{_edge_html(view.card)}</div>'
        f"{_misses_html(view.card)}{verdict if view.card.role == 'answer' else ''}"
        f"{'' if view.card.calibrated else _CAVEAT}</section>"
    )


def _progress_html(progress: Progress | None) -> str:
    if progress is None:
        return ""
    known = progress.total > 0
    share = min(100.0, 100 * progress.done / progress.total) if known else 0.0
    amounts = f' aria-valuemin="0" aria-valuemax="{progress.total}" aria-valuenow="{progress.done}"' if known else ""
    return (
        f'<div class="hlp-progress" role="progressbar" aria-label="{escape(progress.stage)}"{amounts}>'
        f'<span style="width:{share:.1f}%"></span></div><p class="hlp-progress-text">{escape(progress.text)}</p>'
    )


def _eyebrow_html(view: PageView) -> str:
    assert view.card is not None
    words = {"answer": "The answer", "nearest": "Nearest miss", "runner": "Runner-up, not the answer"}
    back = ""
    if view.card.role == "runner":
        back = '<button type="button" class="hlp-back" data-action="back">← Back to the answer</button>'
    return (
        f'<div class="hlp-eyebrow"><span class="hlp-role hlp-role-{view.card.role}">{words[view.card.role]}</span>'
        f'<span class="hlp-context">{escape(view.context)}</span>{back}</div>'
    )


def _pair_html(card: CardView) -> str:
    first, second = card.legs
    same_side = (
        '<p class="hlp-tag hlp-tag-warning">◆ Both legs on one side: not market-neutral (β &lt; 0)</p>'
        if card.same_side
        else ""
    )
    return (
        '<div class="hlp-pair"><h2 id="hlp-pair" tabindex="-1">'
        f"{escape(first.coin)} <span>/</span> {escape(second.coin)}</h2>"
        f'<ul class="hlp-legs">{_leg_html(first)}{_leg_html(second)}</ul>{same_side}</div>'
    )


def _leg_html(leg: Leg) -> str:
    return (
        f'<li class="hlp-leg hlp-{leg.side}"><span class="hlp-side"><span aria-hidden="true">{leg.shape}</span> '
        f'{leg.word}</span><span class="hlp-coin">{escape(leg.coin)}</span>'
        f'<span class="hlp-notional">{escape(leg.notional)}</span></li>'
    )


def _edge_html(card: CardView) -> str:
    tag = "" if card.calibrated else '<span class="hlp-tag">uncalibrated</span>'
    return (
        f'<div class="hlp-edge hlp-edge-{card.edge_kind}"><p class="hlp-label">Expected net edge {tag}</p>'
        f'<p class="hlp-big">{escape(card.edge)} <small>bps</small></p>'
        f'<p class="hlp-usd"><b>{escape(card.edge_usd)}</b> {escape(card.edge_context)}</p>'
        f'{_bound_html(card)}<p class="hlp-quiet">{escape(card.signal_edge)} bps at the bar’s close</p></div>'
    )


def _bound_html(card: CardView) -> str:
    return f'<p class="hlp-bound">{escape(card.bound)}</p>' if card.bound else ""


def _misses_html(card: CardView) -> str:
    if not card.misses:
        return ""
    items = "".join(f"<li>{escape(miss)}</li>" for miss in card.misses)
    return f'<div class="hlp-misses"><h3>What sinks it</h3><ul>{items}</ul></div>'


def gauge_html(card: CardView) -> str:
    """Return z now, its axis and what the marks mean."""
    axis = card.axis
    return (
        '<section class="hlp-z" aria-labelledby="hlp-z"><h3 id="hlp-z">z-score of the spread</h3>'
        f'<p class="hlp-z-value"><b>{escape(axis.value)}</b> <span>{escape(axis.state)}</span></p>'
        f"{gauge_svg(axis)}"
        '<p class="hlp-legend"><span><i class="hlp-dot" aria-hidden="true"></i>now</span>'
        f'<span><i class="hlp-diamond" aria-hidden="true"></i>at the bar’s close {escape(axis.signal)}</span></p>'
        "</section>"
    )


def spark_html(sparkline: Sparkline) -> str:
    """Return the heading and the summary in words of the 15-minute line."""
    return (
        '<section class="hlp-spark-head" aria-labelledby="hlp-spark"><h3 id="hlp-spark">'
        "z, last 15 minutes <small>real time, UTC</small></h3>"
        f'<p class="hlp-spark-summary">{escape(sparkline.summary)}</p></section>'
    )


def body_html(card: CardView) -> str:
    """Return the waterfall from reversion to net edge, and the facts behind the pair."""
    names = "".join(
        f'<div class="hlp-step hlp-step-{step.kind}"><dt>{escape(step.label)} <small>{escape(step.note)}</small></dt>'
        f"<dd>{escape(step.value)}</dd></div>"
        for step in card.steps
    )
    facts = "".join(
        f'<div title="{escape(fact.hint)}"><dt>{escape(fact.label)}</dt><dd>{escape(fact.value)}</dd></div>'
        for fact in card.facts
    )
    return (
        '<div class="hlp-body"><section class="hlp-costs" aria-labelledby="hlp-costs"><h3 id="hlp-costs">'
        'From reversion to net edge <small>bps</small></h3><div class="hlp-fall-grid">'
        f"<dl>{names}</dl>{waterfall_svg(card.steps)}</div></section>"
        '<section class="hlp-why" aria-labelledby="hlp-why"><h3 id="hlp-why">Behind it</h3>'
        f'<dl class="hlp-facts">{facts}</dl></section></div>'
    )


def below_html(view: PageView) -> str:
    """Return the runners-up, spot against perpetuals, why to believe the numbers, the funnel and the footnotes."""
    footnotes = "".join(f"<p>{escape(note)}</p>" for note in view.footnotes)
    footer = f'<footer class="hlp-footer">{footnotes}</footer>' if footnotes else ""
    return runners_html(view) + carry_html(view) + _belief_html(view) + _funnel_html(view) + footer


def _belief_html(view: PageView) -> str:
    if not view.belief:
        return ""
    lines = "".join(f"<p>{escape(line)}</p>" for line in view.belief)
    return (
        '<section class="hlp-runners hlp-funnel hlp-belief" aria-labelledby="hlp-belief"><h2 id="hlp-belief">'
        f"Can it be believed?</h2>{lines}{record_html(view)}</section>"
    )


def _funnel_html(view: PageView) -> str:
    if view.funnel is None:
        return ""
    items = []
    for index, (amount, label) in enumerate(view.funnel.steps):
        luck = f" <small>({escape(view.funnel.luck)})</small>" if label == "cointegrated" else ""
        arrow = '<span class="hlp-arrow" aria-hidden="true">→</span> ' if index else ""
        items.append(f"<li>{arrow}<b>{escape(amount)}</b> {escape(label)}{luck}</li>")
    best = f"<p>{escape(view.funnel.luck_of_best)}</p>" if view.funnel.luck_of_best else ""
    return (
        '<section class="hlp-funnel" aria-labelledby="hlp-funnel"><h2 id="hlp-funnel">From the universe to the answer'
        f"</h2><ol>{''.join(items)}</ol>{best}</section>"
    )
