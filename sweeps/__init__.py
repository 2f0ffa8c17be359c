"""Running many trainings: sample -> launch -> collect -> report, each from folder to folder."""
