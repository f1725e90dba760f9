"""Sentences, token by token: a small transformer that has learned from a few words.

python examples/text.py [FOLDER]    # writes text.png
"""

import random
import sys
from pathlib import Path

import torch
from torch import nn

import relprop

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
GOOD, BAD = ["good", "great", "moving", "funny"], ["bad", "dull", "long", "silly"]
OTHER = ["the", "film", "is", "a", "and", "acting", "story", "very"]
words = ["[CLS]", *GOOD, *BAD, *OTHER]


def sentences(count: int) -> tuple[list[list[str]], torch.Tensor, torch.Tensor]:
    """Draw seven words, of which one or two speak for the label, and none against it."""
    labels = [i % 2 for i in range(count)]
    drawn = []
    for label in labels:
        telling = random.choices(GOOD if label else BAD, k=random.choice([1, 2]))
        rest = random.choices(OTHER, k=7 - len(telling))
        drawn.append(["[CLS]", *random.sample(telling + rest, 7)])
    ids = torch.tensor([[words.index(word) for word in sentence] for sentence in drawn])
    return drawn, ids, torch.tensor(labels)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(len(words), 16), nn.Embedding(8, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, ids):
        return self.head(self.layer(self.tokens(ids) + self.places.weight)[:, 0])


random.seed(0)
torch.manual_seed(0)
model = Classifier()
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(60):
    _, ids, labels = sentences(64)
    optimiser.zero_grad()
    nn.functional.cross_entropy(model(ids), labels).backward()
    optimiser.step()
model.eval()

shown, ids, labels = sentences(200)
e = relprop.explain(model, ids)  # attnlrp, as the model has attention
print(f"{(e.prediction == labels).float().mean():.1%} of 200 sentences are classified correctly")
names = ["negative", "positive"]
e.plot([0, 1, 2, 3], tokens=shown, class_names=names).savefig(folder / "text.png")
