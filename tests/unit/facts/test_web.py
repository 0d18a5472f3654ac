import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.web import (
    HeaderLine,
    parse_header_lines,
    parse_nginx,
    parse_server_files,
)


@pytest.mark.parametrize(("suite", "version"), [("bullseye", "1.18.0"), ("sid", "1.30.6")])
def test_nginx_that_is_well(suite: str, version: str) -> None:
    found = parse_nginx(recorded(f"nginx-{suite}"))
    assert (found.active, found.enabled, found.version) == ("active", "enabled", version)
    assert found.problem == ""
    assert found.unloaded == ()


def test_nginx_stopped_with_a_broken_file() -> None:
    found = parse_nginx(recorded("nginx_broken-sid"))
    assert found.active == "inactive"
    assert "unexpected end of file" in found.problem
    assert found.unloaded == ("/etc/nginx/conf.d/ucontact.conf",)


def test_a_host_without_nginx() -> None:
    found = parse_nginx(
        "---- unit\nActiveState=inactive\nSubState=dead\nUnitFileState=\n"
        "---- version\nsh: 1: nginx: not found\n---- test\nsh: 1: nginx: not found\n"
        "---- unloaded\nfind: '/run/nginx-loaded': No such file or directory\n"
    )
    assert found.version == ""
    assert found.unloaded is None
    assert found.problem


def test_the_roles_own_configuration_adds_headers_at_one_place() -> None:
    found = parse_header_lines(recorded("nginx_config-trixie"))
    assert len(found) == 12
    assert {line.contexts for line in found} == {()}


def test_header_lines_of_inner_contexts() -> None:
    text = """
    # add_header Commented out;
    add_header A 'quoted; with } marks' always;
    map $uri $x { default "a { b"; ~^/y{2,}$ z; }
    server {
        listen 443; # server { not this }
        location ~ "^/a{1,2}$" { add_header B b; }
        add_header 'C' c always;
    }
    """
    assert parse_header_lines(text) == (
        HeaderLine("A", ()),
        HeaderLine("B", ("server", 'location ~ "^/a{1,2}$"')),
        HeaderLine("'C'", ("server",)),
    )


def test_files_in_which_servers_are_set_up() -> None:
    text = recorded("nginx_config-trixie")
    assert parse_server_files(text) == ("/etc/nginx/conf.d/ucontact.conf",)
    more = text + "# configuration file /etc/nginx/conf.d/z.conf:\nserver { listen 8443; }\n"
    assert parse_server_files(more)[1:] == ("/etc/nginx/conf.d/z.conf",)
    commented = text + "# configuration file /etc/nginx/conf.d/z.conf:\n# server { listen 1; }\n"
    assert len(parse_server_files(commented)) == 1


def test_names_that_two_servers_claim() -> None:
    said = (
        'nginx: [warn] conflicting server name "cc.example" on 0.0.0.0:443, ignored\n'
        'nginx: [warn] conflicting server name "cc.example" on [::]:443, ignored\ngood\n'
    )
    found = parse_nginx(f"---- unit\n---- version\n---- test\n{said}---- unloaded\ntold\n")
    assert found.rivals == ("cc.example",)
    assert found.problem == ""
