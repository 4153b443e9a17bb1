import re
from pathlib import Path

import pytest

from hlpairs_core.exceptions import SettingsError
from hlpairs_core.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[1]


def test_an_argument_wins_over_the_environment_which_wins_over_the_env_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("HLPAIRS_Z_IN=2.5\nHLPAIRS_WINDOW=200\nHLPAIRS_PORT=1\n")
    monkeypatch.setenv("HLPAIRS_WINDOW", "300")
    monkeypatch.setenv("HLPAIRS_PORT", "2")
    settings = load_settings(port=3, market=None)
    assert (settings.z_in, settings.window, settings.port, settings.market) == (2.5, 300, 3, "auto")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HLPAIRS_PORT", "abc", "HLPAIRS_PORT is 'abc': input should be a valid integer"),
        ("HLPAIRS_PORT", "70000", "HLPAIRS_PORT is '70000': input should be less than or equal to 65535"),
        ("HLPAIRS_MARKET", "moon", "HLPAIRS_MARKET is 'moon': use one of auto, mainnet, testnet, demo, or the URL"),
        ("HLPAIRS_MARKET", "ftp://host", "HLPAIRS_MARKET is 'ftp://host'"),
        ("HLPAIRS_MARKET", "http://host,mainnet", "HLPAIRS_MARKET is 'http://host,mainnet': use one of auto"),
        ("HLPAIRS_MARKET", "http://host,", "HLPAIRS_MARKET is 'http://host,': use one of auto"),
        ("HLPAIRS_REQUEST_WEIGHT_PER_MINUTE", "100", "HLPAIRS_REQUEST_WEIGHT_PER_MINUTE is '100': input should be"),
        ("HLPAIRS_RECORD_MINUTES", "often", "HLPAIRS_RECORD_MINUTES is 'often': input should be a valid boolean"),
        ("HLPAIRS_Z_IN", "-1", "HLPAIRS_Z_IN is '-1': input should be greater than 0"),
        ("HLPAIRS_NOTIONAL_USD", "0", "HLPAIRS_NOTIONAL_USD is '0': input should be greater than 0"),
        ("HLPAIRS_NOTIONAL_USD", "-5", "HLPAIRS_NOTIONAL_USD is '-5': input should be greater than 0"),
        ("HLPAIRS_NOTIONAL_USD", "inf", "HLPAIRS_NOTIONAL_USD is 'inf': input should be a finite number"),
        ("HLPAIRS_IDLE_MINUTES", "nan", "HLPAIRS_IDLE_MINUTES is 'nan': input should be a finite number"),
        ("HLPAIRS_WINDOW", "4999", "HLPAIRS_WINDOW is '4999': input should be less than or equal to 4998"),
        ("HLPAIRS_DEPENDENCE", "none", "HLPAIRS_DEPENDENCE is 'none': input should be 'any', 'inverse' or 'positive'"),
        ("HLPAIRS_WINDO", "3", "HLPAIRS_WINDO is not a setting: did you mean HLPAIRS_WINDOW?"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_the_value_and_what_is_allowed(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=re.escape(said)):
        load_settings()


def test_a_misspelt_name_in_the_env_file_is_refused_and_names_of_other_programs_are_not(tmp_path):
    (tmp_path / ".env").write_text("OTHER=1\n")
    load_settings()
    (tmp_path / ".env").write_text("HLPAIRS_ZIN=2\n")
    with pytest.raises(SettingsError, match="HLPAIRS_ZIN is not a setting: did you mean HLPAIRS_Z_IN"):
        load_settings()


def test_the_data_folder_may_be_given_from_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HLPAIRS_DATA_DIR", "~/pairs")
    assert load_settings().data_dir == tmp_path / "pairs"


def test_a_trailing_slash_of_an_exchange_s_address_is_dropped():
    assert load_settings(market="http://127.0.0.1:5/").market == "http://127.0.0.1:5"


def test_several_addresses_of_one_exchange_are_separated_by_commas():
    settings = load_settings(market="http://127.0.0.1:5/, http://127.0.0.1:6,http://127.0.0.1:5")
    assert settings.market == "http://127.0.0.1:5,http://127.0.0.1:6"


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_every_setting_is_documented(document):
    text = (ROOT / document).read_text()
    missing = [name for name in Settings.model_fields if f"HLPAIRS_{name.upper()}" not in text]
    assert missing == []


def test_no_document_names_a_setting_that_does_not_exist():
    known = {f"HLPAIRS_{name.upper()}" for name in Settings.model_fields} | {
        "HLPAIRS_ENGINE_URL",
        "HLPAIRS_ENGINE_READ_TOKEN",
        "HLPAIRS_SOAK",
        "HLPAIRS_TEST_SHARED",
    }
    for document in ("README.md", ".env.example", "CONTRIBUTING.md"):
        assert set(re.findall(r"HLPAIRS_[A-Z_]+\b", (ROOT / document).read_text())) <= known
