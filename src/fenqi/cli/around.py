"""What a person reads when a command ends early, beside the sentences of the error codes."""

GO_ON = (
    "interrupted. What was committed is kept; run the same command again to go on from there:\n"
    "  {command}"
)
UNCHANGED = "interrupted. Nothing was changed."
NOT_ENCODED = "a word of the command is no text in this terminal's encoding. Write it in UTF-8."
UNFORESEEN = "something nobody foresaw went wrong ({kind})."
DETAILS = "Details for whoever mends it: {log}"
THE_SYSTEM = "The system"
ELSEWHERE = "{place}: {said}. Name another place, or change who may use this one."
NO_ROOM = "{place}: {said}. What was committed is kept; make room and run the same command again."
UNUSABLE = "{place}: {said}."
BESIDE = "beside this one works {programs}. Both go on."

# What the system says of files, as it says it.
OF_SYSTEM = (
    "Directory not empty",
    "File exists",
    "File name too long",
    "Is a directory",
    "No space left on device",
    "No such file or directory",
    "Not a directory",
    "Operation not permitted",
    "Permission denied",
    "Read-only file system",
    "Too many levels of symbolic links",
)

ALL = (
    *OF_SYSTEM,
    GO_ON,
    UNCHANGED,
    NOT_ENCODED,
    UNFORESEEN,
    DETAILS,
    THE_SYSTEM,
    ELSEWHERE,
    NO_ROOM,
    UNUSABLE,
    BESIDE,
)
