"""the words that films are found by"""

import sqlalchemy as sa
from alembic import op

# Pure functions: should what they make of a film change, a migration must write its words anew.
from app.videos.search.text import names_of, words_of

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BATCH = 500

ADD = "INSERT INTO search_index (rowid, title, words) VALUES (new.video_id, new.title, new.words);"
REMOVE = (
    "INSERT INTO search_index (search_index, rowid, title, words) "
    "VALUES ('delete', old.video_id, old.title, old.words);"
)

INDEXES = {
    "postgresql": [
        "ALTER TABLE search_texts ADD title_vector tsvector GENERATED ALWAYS AS "
        "(array_to_tsvector(string_to_array(title, ' '))) STORED",
        "CREATE INDEX ix_search_texts_title ON search_texts USING gin (title_vector)",
        "ALTER TABLE search_texts ADD words_vector tsvector GENERATED ALWAYS AS "
        "(array_to_tsvector(string_to_array(words, ' '))) STORED",
        "CREATE INDEX ix_search_texts_words ON search_texts USING gin (words_vector)",
    ],
    "sqlite": [
        "CREATE VIRTUAL TABLE search_index USING fts5(title, words, content='search_texts', "
        "content_rowid='video_id', tokenize='ascii', detail='column', prefix='1 2 3')",
        f"CREATE TRIGGER search_texts_added AFTER INSERT ON search_texts BEGIN {ADD} END",
        f"CREATE TRIGGER search_texts_removed AFTER DELETE ON search_texts BEGIN {REMOVE} END",
        "CREATE TRIGGER search_texts_changed AFTER UPDATE ON search_texts "
        f"BEGIN {REMOVE} {ADD} END",
    ],
}


def upgrade() -> None:
    texts = op.create_table(
        "search_texts",
        sa.Column("video_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id"],
            ["videos.id"],
            name=op.f("fk_search_texts_video_id_videos"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("video_id", name=op.f("pk_search_texts")),
    )
    words = op.create_table(
        "search_words",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("word", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_words")),
        sa.UniqueConstraint("word", name=op.f("uq_search_words_word")),
    )
    for statement in INDEXES[op.get_bind().dialect.name]:
        op.execute(statement)
    fill(texts, words)


def fill(texts: sa.Table, words: sa.Table) -> None:
    """Write the words of the films that are there."""
    known: set[str] = set()
    last = 0
    said = sa.text(
        "SELECT videos.id, videos.title, description, category, year, season, episode, "
        "series.title AS series FROM videos LEFT JOIN series ON series.id = series_id "
        "WHERE videos.id > :last ORDER BY videos.id LIMIT :batch"
    )
    connection = op.get_bind()
    while films := connection.execute(said, {"last": last, "batch": BATCH}).mappings().all():
        rows = []
        new: set[str] = set()
        for film in films:
            facts = {name: film[name] for name in film if name != "id"}
            found = words_of(**facts)
            rows.append({"video_id": film["id"], "title": found.title, "words": found.words})
            new.update(names_of(film["title"], film["series"], film["category"]))
        op.bulk_insert(texts, rows)
        op.bulk_insert(words, [{"word": word} for word in sorted(new - known)])
        known |= new
        last = films[-1]["id"]


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
    op.drop_table("search_words")
    op.drop_table("search_texts")
