"""What to do about a fault of the preparation, in the words of a SentimentModel.

The command line names its flags; whoever reads a condition has fields instead. Faults that are not here
say all that can be said by themselves.
"""

REMEDIES = {
    "SourceUnauthorized": "Put credentials that the server accepts into a Secret and name it in "
    "spec.source.credentialsSecretRef.",
    "SourceRateLimited": "Give credentials with a higher limit in spec.source.credentialsSecretRef, or wait.",
    "SourceNotFound": "Check the name, the path and the revision in spec.source.",
    "SourceInvalid": "Correct spec.source.",
    "SourceUnavailable": "Check the network (a NetworkPolicy, a proxy in spec.job.env) and the server.",
    "SourceOffline": "Fill the cache that `offline` in spec.source names, or put the checkpoint into a "
    "claim and name it in spec.source.pvc.",
    "ChecksumMismatch": "The file is not the one that was named: correct sha256 in spec.source, or find out "
    "who changed the file.",
    "StorageFull": "Raise spec.storage.size, where the storage class can grow, or the quota.",
    "StorageDenied": "Let spec.job.securityContext.fsGroup write to the volume.",
    "OutOfMemory": "Raise spec.job.resources.limits.memory: three times the model in fp32, and 1 GiB.",
    "ArchiveTooLarge": "Give an archive that unpacks to less, or a directory in spec.source.pvc.",
    "LabelsUnknown": "Say which class is which in spec.labels.",
    "LabelsReversed": "The classes are probably swapped: say which is which in spec.labels.",
    "QualityGateFailed": "Ask for a gentler spec.precision, or raise spec.gate.maxAccuracyDrop knowingly.",
    "TorchMissing": "Name an image with torch in spec.image.reference (service/models.Dockerfile, "
    "EXTRAS=models), or give a finished package for openvino.",
    "EngineMismatch": "Set spec.engine to the engine of the package, or give the checkpoint that it was "
    "made from.",
}
