"""Settings from the environment (``HLPAIRS_*``), a ``.env`` file in the working folder, or arguments."""

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hlpairs_core.exceptions import SettingsError

__all__ = ["MARKETS", "Settings", "load_settings"]

PREFIX = "HLPAIRS_"
MARKETS = ("auto", "mainnet", "testnet", "demo")
# Set by one of our processes for another, never by a user.
INTERNAL = frozenset({"HLPAIRS_ENGINE_URL", "HLPAIRS_ENGINE_READ_TOKEN", "HLPAIRS_SOAK", "HLPAIRS_TEST_SHARED"})


def _known_market(value: str) -> str:
    if value in MARKETS:
        return value
    addresses = [one.strip().rstrip("/") for one in value.split(",")]
    if all(_is_address(one) for one in addresses):
        return ",".join(dict.fromkeys(addresses))
    raise ValueError(f"use one of {', '.join(MARKETS)}, or the URL of an exchange (several of one: with commas)")


def _is_address(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class Settings(BaseSettings):
    """Everything a user can set; each field is the variable ``HLPAIRS_<NAME>``.

    Build it with `load_settings`, which turns a wrong value into a `SettingsError`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, allow_inf_nan=False
    )

    market: Annotated[str, AfterValidator(_known_market)] = Field(
        "auto",
        description="auto (mainnet if it answers at start, else demo), mainnet, testnet, demo, or URLs with commas",
    )
    data_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        default_factory=lambda: platformdirs.user_data_path("hlpairs"),
        description="folder of recorded history, journal and locks; one sub-folder a market",
    )
    port: int = Field(8866, ge=0, le=65535, description="port of the page; 0 for any free one")
    demo_seed: int = Field(7, ge=0, description="seed of the simulated demo market")
    demo_speed: float = Field(60.0, gt=0, le=3600, description="market seconds per second in the demo market")
    idle_minutes: float = Field(
        15.0, gt=0, description="an engine started on demand stops after so many minutes without a reader"
    )
    request_weight_per_minute: float | None = Field(
        None, ge=120, description="of the exchange's request weight; unset: its 1200, unlimited on this machine"
    )
    record_minutes: bool = Field(True, description="store quotes, depth and sums of trades by minute and coin")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="what the engine logs")
    # The exchange keeps 5,000 bars: one is unfinished, and one is the signal.
    window: int = Field(336, ge=50, le=4998, description="bars in the fit of the screen")
    horizon_hours: float = Field(48.0, gt=0, le=720, description="longest hold, in hours")
    z_in: float = Field(2.0, gt=0, le=10, description="entry at this many standard deviations")
    z_out: float = Field(0.5, ge=0, lt=10, description="exit at this many standard deviations")
    p_max: float = Field(0.05, gt=0, lt=1, description="gate on the Engle-Granger p-value")
    rho_min: float = Field(0.0, ge=0, lt=1, description="ρ*, the least dependence of log returns")
    dependence: Literal["any", "inverse", "positive"] = Field("any", description="which pairs ρ* keeps")
    notional_usd: float = Field(10_000.0, gt=0, description="gross notional of the pair, both legs together")
    min_day_notional_usd: float = Field(10_000.0, ge=0, description="least traded notional of a coin per day")
    address: str | None = Field(
        None, pattern="^0x[0-9a-fA-F]{40}$", description="account whose fees are paid; unset: the base tier's"
    )
    taker_fee_bps: float = Field(4.5, ge=-100, le=100, description="taker fee of one fill, in bps of that fill")


def _refusal(error: ValidationError) -> SettingsError:
    problems = []
    for one in error.errors(include_url=False):
        name = PREFIX + str(one["loc"][0]).upper() if one["loc"] else "settings"
        reason = one["msg"].removeprefix("Value error, ")
        problems.append(f"{name} is {one['input']!r}: {reason[:1].lower()}{reason[1:]}")
    return SettingsError("; ".join(problems))


def _unknown(name: str) -> str:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting" + (f": did you mean {close[0]}?" if close else f": use one of {', '.join(known)}")


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; arguments that are not None win over the environment, which wins over ``.env``.

    Raises
    ------
    SettingsError
        Naming each variable that is wrong, the value seen and what is allowed; a misspelt ``HLPAIRS_`` name too.
    """
    for name in {*os.environ, *dotenv_values(".env")} - INTERNAL:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in Settings.model_fields:
            raise SettingsError(_unknown(name))
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise _refusal(error) from None
