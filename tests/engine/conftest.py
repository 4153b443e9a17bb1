from collections.abc import AsyncIterator, Iterator

import pytest
from engine_processes import finish, launch
from engine_world import FullDisk, World


@pytest.fixture(scope="session")
def exchange() -> Iterator[str]:
    """The address of a simulated exchange in a process of its own."""
    process = launch("simulate", "--coins", "12", "--seed", "3")
    yield process.stdout.readline().strip()
    finish(process)


@pytest.fixture
def disk() -> FullDisk:
    return FullDisk()


@pytest.fixture
async def make_world(tmp_path) -> AsyncIterator:
    worlds: list[World] = []

    async def make(**options) -> World:
        worlds.append(World(tmp_path / options.pop("folder", "data"), **options))
        return await worlds[-1].open()

    yield make
    for world in worlds:
        await world.close()


@pytest.fixture
async def world(make_world) -> World:
    return await make_world()
