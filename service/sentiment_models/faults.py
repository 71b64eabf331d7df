"""What can go wrong while a model is prepared: each with a CamelCase reason, a cause and a remedy."""

from __future__ import annotations


class Fault(Exception):
    """A cause that a person can mend. `reason` is for machines (a condition), the rest for people."""

    reason = "PreparationFailed"
    remedy = "See the log of the preparation."
    transient = False
    """Whether it may pass by itself, so that trying again makes sense."""

    def __init__(self, cause: str, remedy: str | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy or type(self).remedy

    def __str__(self) -> str:
        return f"{self.cause}. {self.remedy}"


class SourceInvalid(Fault):
    reason = "SourceInvalid"
    remedy = "Give bundled, a directory, http(s)://…, s3://…, hf://OWNER/NAME or modelscope://OWNER/NAME."


class SourceNotFound(Fault):
    reason = "SourceNotFound"
    remedy = "Check the name, the path and the revision."


class SourceUnauthorized(Fault):
    reason = "SourceUnauthorized"
    remedy = "Give credentials that the server accepts; see --credentials."


class SourceForbidden(Fault):
    reason = "SourceForbidden"
    remedy = "Give the account behind the credentials read access, or accept the model's terms on its page."


class SourceRateLimited(Fault):
    reason = "SourceRateLimited"
    transient = True
    remedy = "Wait and start again (what has come stays), or give credentials with a higher limit."


class SourceUnavailable(Fault):
    reason = "SourceUnavailable"
    transient = True
    remedy = "Check the network and the server, then start again: the download resumes where it ended."


class SourceOffline(Fault):
    reason = "SourceOffline"
    remedy = "Fill the cache once without --offline, or mount a directory that holds the checkpoint."


class SourceTruncated(Fault):
    reason = "SourceTruncated"
    transient = True
    remedy = "The server ended the file too early; start again, the download resumes where it ended."


class ChecksumMismatch(Fault):
    reason = "ChecksumMismatch"
    remedy = "The file is not the one that was named: correct the sha256, or find out who changed the file."


class StorageFull(Fault):
    reason = "StorageFull"
    remedy = "Give the volume more space, or raise the quota."


class StorageDenied(Fault):
    reason = "StorageDenied"
    remedy = "Make the directory writable for this user (on Kubernetes: securityContext.fsGroup)."


class OutOfMemory(Fault):
    reason = "OutOfMemory"
    remedy = "Give the preparation more memory: three times the size of the model in fp32, and 1 GiB."


class TorchMissing(Fault):
    reason = "TorchMissing"
    remedy = (
        "Install the extra `models`, which opens checkpoints; without it only packages for openvino can be "
        "taken."
    )


class ArchiveUnsafe(Fault):
    reason = "ArchiveUnsafe"
    remedy = (
        "Pack the checkpoint again with plain files under relative names, and trust nobody who sent this one."
    )


class ArchiveTooLarge(Fault):
    reason = "ArchiveTooLarge"
    remedy = "If the archive is honest, raise --max-unpacked-bytes."


class ArchiveUnreadable(Fault):
    reason = "ArchiveUnreadable"
    remedy = "Give a tar (gz, bz2, xz) or zip archive that is whole."


class CheckpointIncomplete(Fault):
    reason = "CheckpointIncomplete"
    remedy = "Give a directory with config.json or configuration.json, the weights, and a tokenizer."


class CheckpointUnsupported(Fault):
    reason = "CheckpointUnsupported"
    remedy = "Give a sequence classifier of the BERT family."


class CheckpointUnsafe(Fault):
    reason = "CheckpointUnsafe"
    remedy = "Save the weights as safetensors; pickles that could run code are never opened."


class CheckpointUnreadable(Fault):
    reason = "CheckpointUnreadable"
    remedy = "The file is damaged or cut off: fetch or save it again."


class KeysMismatch(Fault):
    reason = "KeysMismatch"
    remedy = "The weights do not belong to this configuration: give the files of one and the same checkpoint."


class LabelCountWrong(Fault):
    reason = "LabelCountWrong"
    remedy = "Give a classifier of exactly two classes, negative and positive."


class LabelsUnknown(Fault):
    reason = "LabelsUnknown"
    remedy = "Say which is which: --labels NEGATIVE,POSITIVE."


class VocabularyMismatch(Fault):
    reason = "VocabularyMismatch"
    remedy = "Give the tokenizer that the model was trained with."


class WeightsNotFinite(Fault):
    reason = "WeightsNotFinite"
    remedy = "The training diverged or the file is damaged: give an earlier checkpoint."


class ConversionDiffers(Fault):
    reason = "ConversionDiffers"
    remedy = "Please report this model: its conversion does not compute what the original does."


class EvaluationInvalid(Fault):
    reason = "EvaluationInvalid"
    remedy = "Give UTF-8 CSV with a header text,label and labels 0 or 1 (or 负面/正面, negative/positive)."


class LabelsReversed(Fault):
    reason = "LabelsReversed"
    remedy = "The classes are probably swapped: say which is which with --labels NEGATIVE,POSITIVE."


class QualityGateFailed(Fault):
    reason = "QualityGateFailed"
    remedy = "Ask for a gentler precision, or raise --max-accuracy-drop knowingly."


class PackageInvalid(Fault):
    reason = "PackageInvalid"
    remedy = "Prepare the package again."


class EngineMismatch(Fault):
    reason = "EngineMismatch"
    remedy = "Name the package's own engine with --engine, or prepare the checkpoint that it was made from."
