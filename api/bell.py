"""The bell by which any process wakes the worker that leads, wherever it runs."""

import logging
import threading

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from db.notifications import send_word

logger = logging.getLogger(__name__)

GAP_SECONDS = 0.2
"""Between two words: hundreds of arrivals a second are few words, because each costs a lock of the whole server."""
AGAIN_SECONDS = 1.0


class Bell:
    """Sends one word, soon after `ring`; a ring during the gap is kept, so the last arrival is always told."""

    def __init__(self, engine: Engine, word: str) -> None:
        self._engine = engine
        self._word = word
        self._asked = threading.Event()
        self._rung = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send_words, name="bell", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Ask for the word to be sent; never waits and never fails."""
        self._asked.set()
        self._rung.set()

    def stop(self) -> None:
        """Send what was asked for, then end."""
        self._stopping.set()
        self._rung.set()
        self._thread.join(timeout=AGAIN_SECONDS)

    def _send_words(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            if self._asked.is_set():
                self._asked.clear()
                self._send()
            if self._stopping.wait(GAP_SECONDS):
                return

    def _send(self) -> None:
        try:
            send_word(self._engine, self._word)
        except SQLAlchemyError as error:
            logger.warning("the worker could not be woken: %s", type(error).__name__)
            self._stopping.wait(AGAIN_SECONDS)
            self.ring()
