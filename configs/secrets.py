"""What must not stand in a profile: keys, tokens and passwords, from the environment alone."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Secrets(BaseSettings):
    """What must not stand in a profile, under the names the original service uses."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    admin_key: str | None = Field(
        None,
        validation_alias="ADMIN_KEY",
        repr=False,
        description="A key that may do all, sent as `x-admin-api-key` or as a bearer token. Set "
        "but empty counts as set. Without it and `keys_file` nobody needs a key.",
    )
    hub_token: str | None = Field(
        None,
        validation_alias="HF_TOKEN",
        repr=False,
        description="Token of the Hugging Face hub, for gated models.",
    )
    fly_machine_id: str | None = Field(
        None, validation_alias="FLY_MACHINE_ID", description="Repeated in answers and webhooks."
    )
    database_url: str | None = Field(
        None,
        validation_alias="RAYSCRIBE_DATABASE_URL",
        repr=False,
        description="Address of the job store with its password; it overrides `jobs.database_url`.",
    )
    webhook_secret: str | None = Field(
        None,
        validation_alias="RAYSCRIBE_WEBHOOK_SECRET",
        repr=False,
        description="Signs webhooks by the Standard Webhooks scheme: base64, with or without "
        "its prefix `whsec_`.",
    )


def secret_variables() -> frozenset[str]:
    return frozenset(str(field.validation_alias).upper() for field in Secrets.model_fields.values())
