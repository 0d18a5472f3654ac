"""Hardphones of `site.yml` (R13): which phone has which extension."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import Extension, SiteModel

# 12 digits, or 6 pairs with the same separator between all of them.
_MAC = re.compile(r"[0-9a-f]{12}|[0-9a-f]{2}(?P<mark>[:-])(?:[0-9a-f]{2}(?P=mark)){4}[0-9a-f]{2}")


def _quoted_mac(value: object) -> object:
    """Reject a number: YAML reads 112233445566 and 11:22:33:44:55:06 as one."""
    if isinstance(value, int | float):
        raise ValueError(
            _(
                "write the MAC address in quotes, such as '80:5e:c0:11:22:33' (it is read as "
                "{value})",
                value=value,
            )
        )
    return value


def _mac(value: str) -> str:
    """The 12 hexadecimal digits in lower case, as phones put them into file names."""
    text = value.lower()
    if not _MAC.fullmatch(text):
        raise ValueError(
            _("{value!r} is not a MAC address, such as 80:5e:c0:11:22:33", value=value)
        )
    digits = text.replace(":", "").replace("-", "")
    # The lowest bit of the first octet marks a group (IEEE 802, 8.2): no phone has such an address.
    if int(digits[:2], 16) & 1 or not int(digits, 16):
        raise ValueError(_("{value!r} is not the MAC address of one device", value=value))
    return digits


# Where the portal has the phones' files.
PROVISIONING = "/provision/"


class PhoneModel(str, Enum):
    """The makers whose configuration files can be written."""

    YEALINK = "yealink"
    GRANDSTREAM = "grandstream"
    POLYCOM = "polycom"
    FANVIL = "fanvil"


class Phone(SiteModel):
    """A hardphone that gets its configuration from this site."""

    mac: Annotated[str, BeforeValidator(_quoted_mac), AfterValidator(_mac)] = Field(
        description="MAC address, as on the phone's label, such as '80:5e:c0:11:22:33'; its "
        "password is the secret telephony.phones.MAC"
    )
    model: PhoneModel = Field(description="maker: yealink, grandstream, polycom or fanvil")
    extension: Extension = Field(
        description="the phone's extension, one of 'extensions'; no softphone can call with it"
    )

    @property
    def file_name(self) -> str:
        """The file that this maker's phones ask for first."""
        return f"cfg{self.mac}.xml" if self.model is PhoneModel.GRANDSTREAM else f"{self.mac}.cfg"
